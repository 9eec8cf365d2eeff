package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// asked finds the prototype that a query is about.
var asked = regexp.MustCompile(`prototype="metric-([a-z]+)"`)

// metrics answers queries of Prometheus' HTTP API by the prototype that they name.
func metrics(w http.ResponseWriter, r *http.Request) {
	about := asked.FindStringSubmatch(r.FormValue("query"))
	at, err := strconv.ParseFloat(r.FormValue("time"), 64)
	if about == nil || err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"status":"error","errorType":"bad_data","error":"want a query about a prototype, and a time"}`))
		return
	}
	sample := func(value string) map[string]any {
		return map[string]any{"metric": map[string]string{}, "value": []any{at, value}}
	}
	answer := map[string]any{"status": "success"}
	var vector []any
	switch about[1] {
	case "low":
		vector = []any{sample("0.01")}
	case "high":
		vector = []any{sample("0.5")}
	case "between":
		vector = []any{sample("0.03")}
	case "unused":
		vector = []any{sample("NaN")}
	case "twice":
		vector = []any{sample("0.01"), map[string]any{"metric": map[string]string{"pod": "b"}, "value": []any{at, "0.9"}}}
	case "stale":
		vector = []any{map[string]any{"metric": map[string]string{}, "value": []any{at - 3600, "0.01"}}}
	case "partial":
		vector, answer["warnings"] = []any{sample("0.01")}, []string{fmt.Sprintf("a part of what is kept about %s did not answer", about[1])}
	default:
		vector = []any{}
	}
	answer["data"] = map[string]any{"resultType": "vector", "result": vector}
	serve.WriteJSON(w, http.StatusOK, answer)
}
