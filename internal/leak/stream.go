package leak

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// streamed is what an event stream says (WHATWG, server-sent events): its events as a list of JSON objects, in which every
// field's texts are put together again. A model's answer comes in pieces of words, between which each event repeats itself.
// It is empty for what is no stream.
func streamed(text string) string {
	if !strings.Contains(text, "data:") {
		return ""
	}
	fields := map[string]*strings.Builder{}
	for line := range strings.Lines(text) {
		data, is := strings.CutPrefix(strings.TrimSpace(line), "data:")
		var event any
		if is && json.Unmarshal([]byte(data), &event) == nil {
			collect(event, "", fields)
		}
	}
	var out strings.Builder
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		out.WriteString(fields[field].String() + "\n")
	}
	return out.String()
}

// collect adds the texts of an event to those of the fields with the same path.
func collect(value any, path string, fields map[string]*strings.Builder) {
	switch v := value.(type) {
	case string:
		if fields[path] == nil {
			fields[path] = &strings.Builder{}
		}
		fields[path].WriteString(v)
	case []any:
		for _, item := range v {
			collect(item, path+"/", fields)
		}
	case map[string]any:
		for key, item := range v {
			collect(item, path+"/"+key, fields)
		}
	}
}
