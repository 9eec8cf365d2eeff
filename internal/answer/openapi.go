package answer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"sigs.k8s.io/yaml"
)

// Operation of an OpenAPI document.
type Operation struct {
	doc   *openapi3.T
	route *routers.Route
	names known
}

// Find reads an OpenAPI 3 document, JSON or YAML, and finds an operation in it. The method and path that are asked must be
// the operation's: an answer is not to be judged by what another one should be. Errors are in fixed words.
func Find(ctx context.Context, document []byte, operationID, method, path string) (*Operation, error) {
	if len(document) > MaxDocument {
		return nil, fmt.Errorf("an OpenAPI document has at most %d bytes", MaxDocument)
	}
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil || doc.Validate(ctx, openapi3.DisableExamplesValidation()) != nil {
		return nil, errUnusable
	}
	for template, item := range doc.Paths.Map() {
		for verb, operation := range item.Operations() {
			if operation.OperationID != operationID {
				continue
			}
			if verb != method {
				return nil, errors.New("the operation has another method than the check")
			}
			if !fits(doc, template, path) {
				return nil, errors.New("the operation has another path than the check")
			}
			route := &routers.Route{Spec: doc, Path: template, PathItem: item, Method: verb, Operation: operation}
			return &Operation{doc: doc, route: route, names: namesOf(document)}, nil
		}
	}
	return nil, errors.New("the document has no such operation")
}

func namesOf(document []byte) known {
	names := known{}
	var raw any
	if asJSON, err := yaml.YAMLToJSON(document); err == nil && json.Unmarshal(asJSON, &raw) == nil {
		namesIn(raw, names)
	}
	return names
}

var parameter = regexp.MustCompile(`\\\{[^{}]*\\\}`)

// fits tells whether a path is one of a template's, bare or below the base path of one of the document's servers.
func fits(doc *openapi3.T, template, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	form, err := regexp.Compile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(template), "[^/]+") + "$")
	if err != nil {
		return false
	}
	bases := []string{""}
	for _, server := range doc.Servers {
		if u, err := url.Parse(server.URL); err == nil {
			bases = append(bases, strings.TrimSuffix(u.Path, "/"))
		}
	}
	for _, base := range bases {
		if rest, below := strings.CutPrefix(path, base); below && form.MatchString(rest) {
			return true
		}
	}
	return false
}

// Judge says the first thing that is wrong with an answer, nil for a good one. The error means that the document says
// too little to tell.
func (o *Operation) Judge(ctx context.Context, asked *http.Request, status int, header http.Header, body []byte) (*Violation, error) {
	declared := o.route.Operation.Responses.Status(status)
	if declared == nil {
		declared = o.route.Operation.Responses.Default()
	}
	if declared == nil || declared.Value == nil {
		return &Violation{Where: "the status", Keyword: "responses"}, nil
	}
	if asked.Method == http.MethodHead {
		return nil, nil
	}
	if len(declared.Value.Content) == 0 && len(body) > 0 {
		return &Violation{Where: "the answer", Keyword: "content"}, nil
	}
	for _, media := range declared.Value.Content {
		if media.Schema == nil {
			return nil, errors.New("the operation declares no schema for its answer")
		}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: asked, Route: o.route},
		Status:                 status, Header: header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	err := openapi3filter.ValidateResponse(ctx, input)
	if err == nil {
		return nil, nil
	}
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		return &Violation{Where: o.names.where(schema.JSONPointer()), Keyword: keywordIn(schema)}, nil
	}
	if len(declared.Value.Content) > 0 && declared.Value.Content.Get(header.Get("Content-Type")) == nil {
		return &Violation{Where: "the content type", Keyword: "content"}, nil
	}
	return &Violation{Where: "the answer", Keyword: "responses"}, nil
}

var word = regexp.MustCompile(`^[A-Za-z$][A-Za-z]{0,40}$`)

// keywordIn is the schema's keyword; a field that is no keyword is not repeated.
func keywordIn(err *openapi3.SchemaError) string {
	if word.MatchString(err.SchemaField) {
		return err.SchemaField
	}
	return "the schema"
}
