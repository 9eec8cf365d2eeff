package leak

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Streamed is what a stream of events says, with every field's texts put together again: server-sent events (WHATWG), or a
// JSON document on each line. A model's answer comes in pieces of words, between which each event repeats itself. It is
// empty for what is no stream.
func Streamed(text string) string {
	if joined, events := pieced(text); events > 1 {
		return joined
	}
	return ""
}

// pieced puts the texts of equal fields together, those of lists included, and counts the events that they are of.
func pieced(text string) (joined string, events int) {
	fields := map[string]*strings.Builder{}
	for line := range strings.Lines(text) {
		data, is := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data:")
		var event any
		switch {
		case looksJSON(data) && json.Unmarshal([]byte(data), &event) == nil:
			collect(event, "", fields)
			events++
		case is:
			collect(strings.TrimPrefix(data, " "), "", fields)
			events++
		}
	}
	var out strings.Builder
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		out.WriteString(fields[field].String() + "\n")
	}
	return out.String(), events
}

// looksJSON spares what can't be an object or a list the attempt.
func looksJSON(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && (line[0] == '{' || line[0] == '[')
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
