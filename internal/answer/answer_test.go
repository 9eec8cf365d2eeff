package answer

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

const courses = `
type: object
required: [status, courses]
properties:
  status: {const: ok}
  courses:
    type: array
    maxItems: 2
    items: {$ref: '#/$defs/course'}
  byMember: {type: object, additionalProperties: {type: integer, maximum: 9}}
additionalProperties: false
$defs:
  course: {type: object, required: [title], properties: {title: {type: string}, since: {type: string, format: date}}}
`

// secret is what may be in an answer and must be in nothing that is said about it.
const secret = "jane.doe@example.org"

func TestSchema(t *testing.T) {
	schema, err := Compile(courses)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"status":"ok","courses":[{"title":"a"}]}`:                          "",
		`{"status":"ok","courses":[{"title":"a","since":"2026-01-31"}]}`:     "",
		`{"status":"ok","courses":[{"title":"a","since":"` + secret + `"}]}`: "courses[].since violates format",
		`{"status":"` + secret + `","courses":[]}`:                           "status violates const",
		`{"status":"ok"}`: "courses violates required",
		`{"status":"ok","courses":[{"name":"` + secret + `"}]}`:         "courses[].title violates required",
		`{"status":"ok","courses":[{"title":7}]}`:                       "courses[].title violates type",
		`{"status":"ok","courses":[],"` + secret + `":1}`:               "the answer violates additionalProperties",
		`{"status":"ok","courses":[],"byMember":{"` + secret + `":10}}`: "byMember.* violates maximum",
		`{"status":"ok","courses":[],"byMember":{"1970":10}}`:           "byMember[] violates maximum",
		`{"status":"ok","courses":[],"byMember":{"a":1e999999999}}`:     "the answer violates the bound",
		`[]`:                                    "the answer violates type",
		`{"status":"ok","courses":[]`:           "the answer violates JSON",
		`<html>` + secret:                       "the answer violates JSON",
		``:                                      "the answer violates JSON",
		`{"status":"ok","courses":[]} trailing`: "the answer violates JSON",
	} {
		violation := schema.Judge([]byte(body))
		switch {
		case violation == nil && want != "":
			t.Errorf("%s passes, want %q", body, want)
		case violation != nil && (want == "" || !strings.HasPrefix(violation.String(), want)):
			t.Errorf("%s: %q, want %q", body, violation, want)
		case violation != nil && strings.Contains(violation.String(), secret):
			t.Errorf("the answer is quoted: %q", violation)
		}
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"takes anything": "{}",
		"no object":      "true",
		"no schema":      "type: nonsense",
		"a file":         "$ref: file:///etc/passwd",
		"a web page":     "$ref: https://example.org/schema.json",
		"a relative one": "$ref: other.json",
		"a dangling one": "$ref: '#/$defs/nowhere'",
		"a bad pattern":  "type: string\npattern: '(?=x)'",
		"two of a key":   "type: string\ntype: object",
		"too long":       "description: " + strings.Repeat("x", MaxSchema),
	} {
		if _, err := Compile(text); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "passwd") {
			t.Errorf("%s: %v quotes the schema", name, err)
		}
	}
}

const document = `
openapi: 3.0.3
info: {title: lms, version: "1"}
servers: [{url: "https://lms.example.org/api"}]
paths:
  /courses/{id}:
    get:
      operationId: getCourse
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: a course
          content:
            application/json:
              schema: {type: object, required: [title], properties: {title: {type: string}}}
        "204": {description: nothing}
    post:
      operationId: changeCourse
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: changed, content: {application/json: {}}}}
`

func TestFind(t *testing.T) {
	for name, c := range map[string]struct{ operation, method, path, want string }{
		"bare":            {"getCourse", "GET", "/courses/7", ""},
		"below a server":  {"getCourse", "GET", "/api/courses/7?full=1", ""},
		"below another":   {"getCourse", "GET", "/other/courses/7", "another path"},
		"too deep":        {"getCourse", "GET", "/courses/7/members", "another path"},
		"another method":  {"changeCourse", "GET", "/courses/7", "another method"},
		"another name":    {"getcourse", "GET", "/courses/7", "no such operation"},
		"the other verb":  {"changeCourse", "POST", "/courses/7", ""},
		"a dot is a dot":  {"getCourse", "GET", "/coursesX7", "another path"},
		"without a value": {"getCourse", "GET", "/courses/", "another path"},
	} {
		_, err := Find(t.Context(), []byte(document), c.operation, c.method, c.path)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, bad := range []string{"", "x", "openapi: 3.0.3", strings.ReplaceAll(document, "{type: string}", `{$ref: "file:///etc/passwd"}`),
		strings.ReplaceAll(document, "{type: string}", `{$ref: "http://127.0.0.1:1/x"}`), strings.Repeat(" ", MaxDocument+1)} {
		if _, err := Find(t.Context(), []byte(bad), "getCourse", "GET", "/courses/7"); err == nil {
			t.Errorf("%.40q is taken", bad)
		}
	}
}

func TestOperation(t *testing.T) {
	operation, err := Find(t.Context(), []byte(document), "getCourse", "GET", "/courses/7")
	if err != nil {
		t.Fatal(err)
	}
	asked, err := http.NewRequestWithContext(t.Context(), "GET", "http://lms/courses/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		status     int
		kind, body string
		want       string
	}{
		"good":           {200, "application/json", `{"title":"a"}`, ""},
		"with a charset": {200, "application/json; charset=utf-8", `{"title":"a"}`, ""},
		"missing":        {200, "application/json", `{"` + secret + `":"a"}`, "title violates required"},
		"another type":   {200, "application/json", `{"title":["` + secret + `"]}`, "title violates type"},
		"a page":         {200, "text/html", "<html>" + secret, "the content type violates content"},
		"no JSON":        {200, "application/json", secret, "the answer violates responses"},
		"no status":      {500, "application/json", `{}`, "the status violates responses"},
		"nothing":        {204, "", "", ""},
		"something":      {204, "text/plain", secret, "the answer violates content"},
	} {
		header := http.Header{"Content-Type": {c.kind}}
		violation, err := operation.Judge(t.Context(), asked, c.status, header, []byte(c.body))
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case (violation == nil) != (c.want == ""), violation != nil && violation.String() != c.want:
			t.Errorf("%s: %v, want %q", name, violation, c.want)
		}
	}
	vague, err := Find(t.Context(), []byte(document), "changeCourse", "POST", "/courses/7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vague.Judge(t.Context(), asked, 200, http.Header{"Content-Type": {"application/json"}}, []byte("{}")); err == nil {
		t.Error("an operation without a schema passes an answer")
	}
}

// Whatever a system answers, the judge neither panics nor repeats it.
func FuzzJudge(f *testing.F) {
	schema, err := Compile(courses)
	if err != nil {
		f.Fatal(err)
	}
	operation, err := Find(f.Context(), []byte(document), "getCourse", "GET", "/courses/7")
	if err != nil {
		f.Fatal(err)
	}
	asked, err := http.NewRequestWithContext(f.Context(), "GET", "http://lms/courses/7", nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{`{"status":"ok","courses":[]}`, `{"status":1e999999999}`, `[[[[`, `{"courses":[{"title":null}]}`, "", "\xff"} {
		f.Add([]byte(seed), 200, "application/json")
	}
	f.Fuzz(func(t *testing.T, body []byte, status int, kind string) {
		said := schema.Judge(body)
		also, _ := operation.Judge(t.Context(), asked, status, http.Header{"Content-Type": {kind}}, body)
		for _, v := range []*Violation{said, also} {
			if v == nil {
				continue
			}
			text := v.String()
			if text == "" || len(text) > maxWhere || !utf8.ValidString(text) {
				t.Errorf("%q is said", text)
			}
			for _, step := range strings.FieldsFunc(v.Where, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
				if !schema.names[step] && !operation.names[step] && step != "*" && !strings.HasPrefix(v.Where, "the ") {
					t.Errorf("%q is not of the schema", step)
				}
			}
		}
	})
}
