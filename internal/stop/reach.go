package stop

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// Place is an entry of the catalogue that pods of a namespace may reach.
type Place struct {
	Name    string               `json:"name"`
	Address string               `json:"address"`
	To      v1alpha1.Destination `json:"to"`
}

// Reach is whose the pods of a managed namespace are, what they run and where the network lets them go. Whoever makes
// the namespace keeps it there as an annotation: what is in force can be matched against stops without the record, the
// policy or the prototype, and by people while the operator is dead.
type Reach struct {
	Teams        []string `json:"teams,omitempty"`
	Digests      []string `json:"digests,omitempty"`
	Gateways     []Place  `json:"gateways,omitempty"`
	Integrations []Place  `json:"integrations,omitempty"`
	// Review is the ordinal in the label of the pods that the openings are for; empty where they are for all pods.
	Review string `json:"review,omitempty"`
}

// ReachOf is what a workload of the given images has in its surroundings.
func ReachOf(at workload.Surroundings, images ...string) Reach {
	var r Reach
	if team := at.Requirements.Team.Name; team != "" {
		r.Teams = []string{team}
	}
	for _, image := range images {
		r.Digests = append(r.Digests, Digest(image)...)
	}
	if gateway := at.Requirements.ModelGateway; gateway != nil {
		r.Gateways = []Place{{Name: gateway.Name, Address: gateway.Address, To: gateway.To}}
	}
	for _, integration := range at.Requirements.Integrations {
		if endpoint := at.Endpoint(integration); endpoint != nil {
			r.Integrations = append(r.Integrations, Place{Name: integration.Name, Address: endpoint.Address, To: endpoint.To})
		}
	}
	return r.sorted()
}

// And is the reach of both.
func (r Reach) And(other Reach) Reach {
	join := func(a, b []Place) []Place { return append(slices.Clone(a), b...) }
	return Reach{
		Teams: append(slices.Clone(r.Teams), other.Teams...), Digests: append(slices.Clone(r.Digests), other.Digests...),
		Gateways: join(r.Gateways, other.Gateways), Integrations: join(r.Integrations, other.Integrations), Review: r.Review,
	}.sorted()
}

func (r Reach) sorted() Reach {
	unique := func(names []string) []string {
		slices.Sort(names)
		return slices.Compact(names)
	}
	places := func(list []Place) []Place {
		key := func(p Place) string {
			raw, _ := json.Marshal(p) // a structure of strings and numbers
			return string(raw)
		}
		slices.SortFunc(list, func(a, b Place) int { return strings.Compare(key(a), key(b)) })
		return slices.CompactFunc(list, func(a, b Place) bool { return key(a) == key(b) })
	}
	r.Teams, r.Digests = unique(r.Teams), unique(r.Digests)
	r.Gateways, r.Integrations = places(r.Gateways), places(r.Integrations)
	return r
}

// String is what the annotation holds.
func (r Reach) String() string {
	raw, _ := json.Marshal(r) // a structure of strings and numbers
	return string(raw)
}

// Facts that stops are matched against.
func (r Reach) Facts() Facts {
	named := func(places []Place) []string {
		var out []string
		for _, p := range places {
			out = append(out, p.Name)
		}
		return out
	}
	return Facts{Teams: r.Teams, Digests: r.Digests, Gateways: named(r.Gateways), Integrations: named(r.Integrations)}
}

// Said is the reach that annotations tell of, and whether they do.
func Said(annotations map[string]string) (Reach, bool) {
	var r Reach
	said := annotations[v1alpha1.AnnotationReach]
	if said == "" || json.Unmarshal([]byte(said), &r) != nil {
		return Reach{}, false
	}
	return r, true
}

// Read is the reach that a managed namespace says it has, and the facts of it: unknown where it does not say.
func Read(namespace *corev1.Namespace) (Reach, Facts) {
	r, known := Said(namespace.Annotations)
	if !known {
		return Reach{}, Facts{Unknown: true}
	}
	return r, r.Facts()
}

// Digest of an image reference; none where it is not pinned.
func Digest(image string) []string {
	_, digest, pinned := strings.Cut(image, "@")
	if !pinned {
		return nil
	}
	return []string{digest}
}

// Severed are the places of the reach that the effects cut off; all of them where everything is cut.
func (r Reach) Severed(e Effects) []Place {
	var out []Place
	for _, p := range r.Gateways {
		if e.Cut || slices.Contains(e.Gateways, p.Name) {
			p.Name = "gateway " + p.Name
			out = append(out, p)
		}
	}
	for _, p := range r.Integrations {
		if e.Cut || slices.Contains(e.Integrations, p.Name) {
			p.Name = "integration " + p.Name
			out = append(out, p)
		}
	}
	return apart(out)
}

// apart numbers places of one name: an entry of the catalogue that was changed leads to two, and each is tried.
func apart(places []Place) []Place {
	seen := map[string]int{}
	for i, p := range places {
		seen[p.Name]++
		if n := seen[p.Name]; n > 1 {
			places[i].Name = fmt.Sprintf("%s (%d)", p.Name, n)
		}
	}
	return places
}
