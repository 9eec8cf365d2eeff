package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// person who can sign in.
type person struct {
	Name     string   `json:"name"`
	Password string   `json:"password"`
	Groups   []string `json:"groups"`
}

type handler struct {
	people string
	routes client.Reader
}

func newHandler(people string, routes client.Reader) http.Handler {
	h := handler{people: people, routes: routes}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("/check", h.check)
	return mux
}

// check answers the gateway: 200 lets the request through, and everything else is what the person gets. The answer
// carries no header, so that the gateway, told to take Authorization from it, takes the person's off the request.
func (h handler) check(w http.ResponseWriter, r *http.Request) {
	who, err := h.signedIn(r)
	switch {
	case err != nil:
		http.Error(w, "nobody can be signed in at present", http.StatusServiceUnavailable)
		return
	case who == nil:
		w.Header().Set("WWW-Authenticate", `Basic realm="pilots", charset="UTF-8"`)
		http.Error(w, "sign in", http.StatusUnauthorized)
		return
	}
	// The gateway writes this header itself, whatever the request said.
	groups, err := h.invited(r.Context(), r.Header.Get("X-Forwarded-Host"))
	switch {
	case err != nil:
		http.Error(w, "who is invited can't be told at present", http.StatusServiceUnavailable)
	case !slices.ContainsFunc(who.Groups, func(group string) bool { return slices.Contains(groups, group) }):
		http.Error(w, "you are in none of the groups that are invited", http.StatusForbidden)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// signedIn is the person whose name and password the request carries, nil where they are nobody's.
func (h handler) signedIn(r *http.Request) (*person, error) {
	name, password, given := r.BasicAuth()
	if !given {
		return nil, nil
	}
	content, err := serve.ReadSecret(h.people)
	if err != nil {
		return nil, err
	}
	var people []person
	if err := json.Unmarshal(content, &people); err != nil {
		return nil, err
	}
	for i := range people {
		if people[i].Name == name && same(people[i].Password, password) {
			return &people[i], nil
		}
	}
	return nil, nil
}

// same takes as long for a wrong password as for the right one.
func same(a, b string) bool {
	left, right := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(left[:], right[:]) == 1
}

// invited are the groups that the route of the host names; none where no route of a sandbox, or more than one, has it.
func (h handler) invited(ctx context.Context, host string) ([]string, error) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	var routes gatewayv1.HTTPRouteList
	if err := h.routes.List(ctx, &routes, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}); err != nil {
		return nil, err
	}
	var found []gatewayv1.HTTPRoute
	for _, route := range routes.Items {
		if strings.HasPrefix(route.Namespace, v1alpha1.SandboxPrefix) && slices.Contains(route.Spec.Hostnames, gatewayv1.Hostname(host)) {
			found = append(found, route)
		}
	}
	if len(found) != 1 || found[0].Annotations[v1alpha1.AnnotationPilots] == "" {
		return nil, nil
	}
	return strings.Split(found[0].Annotations[v1alpha1.AnnotationPilots], "\n"), nil
}
