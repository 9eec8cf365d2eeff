package stop

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// maxNearest is how many names are told to whoever may have mistyped one.
const maxNearest = 3

// nameOf is what a scope names, "" where it names nothing: everything is meant.
func nameOf(scope v1alpha1.StopScope) string {
	return cmp.Or(scope.Team, scope.Gateway, scope.Integration, scope.Digest)
}

// knownNames are those of the kind that the scope names: what policies and prototypes name, the teams of namespaces, and
// the images that prototypes are made of.
func knownNames(scope v1alpha1.StopScope, policies []v1alpha1.HardeningPolicy, prototypes []v1alpha1.AIPrototype, namespaces []corev1.Namespace) []string {
	var known Facts
	for _, p := range policies {
		for _, team := range p.Spec.Teams {
			known.Teams = append(known.Teams, team.Name)
		}
		for _, gateway := range p.Spec.Catalogue.ModelGateways {
			known.Gateways = append(known.Gateways, gateway.Name)
		}
		for _, integration := range p.Spec.Catalogue.Integrations {
			known.Integrations = append(known.Integrations, integration.Name)
		}
	}
	for i := range prototypes {
		known = known.And(Wanted(&prototypes[i]))
	}
	for _, namespace := range namespaces {
		if team := namespace.Labels[v1alpha1.LabelTeam]; team != "" {
			known.Teams = append(known.Teams, team)
		}
	}
	names := known.Digests
	switch {
	case scope.Team != "":
		names = known.Teams
	case scope.Gateway != "":
		names = known.Gateways
	case scope.Integration != "":
		names = known.Integrations
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unknown tells whether nobody knows what the scope names.
func unknown(scope v1alpha1.StopScope, known []string) bool {
	return nameOf(scope) != "" && !slices.Contains(known, nameOf(scope))
}

// nearest says which names are known that are most like the one that is not; of digests, none is like another.
func nearest(scope v1alpha1.StopScope, known []string) string {
	switch {
	case scope.Digest != "":
		return ""
	case len(known) == 0:
		return "; none is known"
	}
	name := nameOf(scope)
	names := slices.Clone(known)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	return "; known and most like it: " + strings.Join(names[:min(len(names), maxNearest)], ", ")
}

// distance is how many letters are to be put in, taken out or replaced to make one name of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
