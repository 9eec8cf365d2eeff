// Command apidoc writes the API reference from the generated CRDs: every field with its type, whether it must be
// there, its default and what it means.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const folder = "config/crd"

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func write(out io.Writer) error {
	files, err := filepath.Glob(filepath.Join(folder, "affineur.dev_*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no CRDs in %s", folder)
	}
	slices.Sort(files)
	fmt.Fprintln(out, "# API reference: affineur.dev/v1alpha1")
	fmt.Fprintln(out, "\nWritten by `make manifests` from the CRDs. A field marked * must be there.")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(raw, &crd); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		kind(out, crd)
	}
	return nil
}

func kind(out io.Writer, crd apiextensionsv1.CustomResourceDefinition) {
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	names := crd.Spec.Names
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n", names.Kind, oneLine(schema.Description))
	fmt.Fprintf(out, "%s; short name `%s`.\n", crd.Spec.Scope, strings.Join(names.ShortNames, "`, `"))
	for _, part := range []string{"spec", "status"} {
		root, ok := schema.Properties[part]
		if !ok {
			continue
		}
		fmt.Fprintf(out, "\n### %s %s\n\n| Field | Type | Meaning |\n|---|---|---|\n", names.Kind, part)
		rows(out, part, root)
		rules(out, part, root)
	}
}

func rows(out io.Writer, path string, schema apiextensionsv1.JSONSchemaProps) {
	fields := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	for _, name := range fields {
		field := schema.Properties[name]
		mark := ""
		if slices.Contains(schema.Required, name) {
			mark = " *"
		}
		fmt.Fprintf(out, "| `%s.%s`%s | %s | %s |\n", path, name, mark, typeOf(field), meaning(field))
		if name == "conditions" {
			continue
		}
		rows(out, path+"."+name, field)
		if field.Items != nil && field.Items.Schema != nil {
			rows(out, path+"."+name+"[]", *field.Items.Schema)
		}
	}
}

// rules lists what the schema's expressions demand, in the words that a writer would read.
func rules(out io.Writer, path string, schema apiextensionsv1.JSONSchemaProps) {
	var found []string
	collect(path, schema, &found)
	if len(found) == 0 {
		return
	}
	fmt.Fprintln(out, "\nRules:")
	fmt.Fprintln(out)
	for _, rule := range found {
		fmt.Fprintln(out, "-", rule)
	}
}

func collect(path string, schema apiextensionsv1.JSONSchemaProps, found *[]string) {
	for _, rule := range schema.XValidations {
		*found = append(*found, fmt.Sprintf("`%s`: %s", path, rule.Message))
	}
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		collect(path+"."+name, schema.Properties[name], found)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		collect(path+"[]", *schema.Items.Schema, found)
	}
}

func typeOf(schema apiextensionsv1.JSONSchemaProps) string {
	switch {
	case len(schema.Enum) > 0:
		values := make([]string, 0, len(schema.Enum))
		for _, value := range schema.Enum {
			values = append(values, literal(value))
		}
		return strings.Join(values, ", ")
	case schema.Type == "array" && schema.Items != nil && schema.Items.Schema != nil:
		return "list of " + typeOf(*schema.Items.Schema)
	case schema.Format != "":
		return schema.Format
	}
	return schema.Type
}

func meaning(schema apiextensionsv1.JSONSchemaProps) string {
	text := oneLine(schema.Description)
	if schema.Default != nil {
		text += " Default: `" + literal(*schema.Default) + "`."
	}
	return strings.ReplaceAll(text, "|", "\\|")
}

func literal(value apiextensionsv1.JSON) string {
	var text string
	if json.Unmarshal(value.Raw, &text) == nil {
		return text
	}
	return string(value.Raw)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
