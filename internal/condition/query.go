package condition

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var placeholder = regexp.MustCompile(`\$[A-Za-z_]+`)

// Expand puts in what the names of a query stand for. All of them are names of the API server's, so none can end a
// string of the query. A name that stands for nothing is an error, and so is a query that measures another time than the
// window's, or everybody: another team may have a prototype of the same name.
func Expand(query string, window time.Duration, p Prototype) (string, error) {
	known := map[string]string{
		"$window": strconv.FormatInt(int64(window/time.Second), 10) + "s", "$sandbox": p.SandboxNamespace, "$uid": p.UID,
		"$prototype": p.Name, "$namespace": p.Namespace, "$team": p.Team,
	}
	used := map[string]bool{}
	var unknown error
	out := placeholder.ReplaceAllStringFunc(query, func(name string) string {
		value, ok := known[name]
		used[name] = true
		if !ok {
			unknown = fmt.Errorf("%s stands for nothing", name)
		}
		return value
	})
	switch {
	case unknown != nil:
		return "", unknown
	case !used["$window"]:
		return "", errors.New("it has to measure over [$window]")
	case !used["$sandbox"] && !used["$uid"] && !(used["$prototype"] && used["$namespace"]):
		return "", errors.New("it has to name the prototype, by $sandbox, by $uid, or by $namespace and $prototype together")
	}
	return out, nil
}
