package cli

import (
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/affineur/affineur/internal/cli/describe"
)

const (
	outputJSON = "json"
	outputYAML = "yaml"
)

// printObject prints an object as the API server has it, less what nobody reads (managed fields) and what a
// terminal would obey: JSON escapes only the first 32 control characters, and YAML no reordering ones.
func printObject(out io.Writer, object runtime.Object, output string) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	// Typed clients drop apiVersion and kind, without which nothing printed could be applied again.
	kind, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	typeItems(content, strings.TrimSuffix(kind.Kind, "List"), kind.GroupVersion().String())
	shown, _ := visible(content).(map[string]any)
	var printer printers.ResourcePrinter = &printers.YAMLPrinter{}
	if output == outputJSON {
		printer = &printers.JSONPrinter{}
	}
	return (&printers.OmitManagedFieldsPrinter{Delegate: printer}).PrintObj(&unstructured.Unstructured{Object: shown}, out)
}

func typeItems(content map[string]any, kind, apiVersion string) {
	items, _ := content["items"].([]any)
	for _, item := range items {
		if fields, isMap := item.(map[string]any); isMap {
			fields["kind"], fields["apiVersion"] = kind, apiVersion
		}
	}
}

// visible copies a tree without the characters that a terminal obeys instead of showing.
func visible(value any) any {
	switch typed := value.(type) {
	case string:
		return strings.Map(func(r rune) rune {
			if describe.Invisible(r) {
				return -1
			}
			return r
		}, typed)
	case []any:
		items := make([]any, len(typed))
		for i := range typed {
			items[i] = visible(typed[i])
		}
		return items
	case map[string]any:
		fields := make(map[string]any, len(typed))
		for key := range typed {
			fields[key] = visible(typed[key])
		}
		return fields
	default:
		return value
	}
}
