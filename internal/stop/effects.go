package stop

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// Facts are what a stop is matched against: whose a prototype is, what it runs, and what it may reach.
type Facts struct {
	Teams, Gateways, Integrations []string
	// Digests of images, sha256:….
	Digests []string
	// Unknown means that nobody can tell. Every stop concerns what is unknown.
	Unknown bool
}

// Wanted are the facts of what a prototype says now, but for whose it is.
func Wanted(prototype *v1alpha1.AIPrototype) Facts {
	var f Facts
	if model := prototype.Spec.Model; model != nil {
		f.Gateways = []string{model.Gateway}
	}
	for _, use := range prototype.Spec.Integrations {
		f.Integrations = append(f.Integrations, use.Name)
	}
	for _, image := range Images(prototype) {
		f.Digests = append(f.Digests, Digest(image)...)
	}
	return f
}

// Images of a prototype: what it names, and what that was when it was last resolved.
func Images(prototype *v1alpha1.AIPrototype) []string {
	var out []string
	if last := prototype.Status.Image; last != nil {
		out = append(out, last.Resolved)
	}
	if w := prototype.Spec.Workload; w != nil && w.Container != nil {
		out = append(out, w.Container.Image)
	}
	return out
}

// OfTeam are the facts of what belongs to a team as well; "" is no team.
func (f Facts) OfTeam(label string) Facts {
	if label == "" {
		return f
	}
	return f.And(Facts{Teams: []string{label}})
}

// And are the facts of both.
func (f Facts) And(other Facts) Facts {
	return Facts{
		Teams: slices.Concat(f.Teams, other.Teams), Gateways: slices.Concat(f.Gateways, other.Gateways),
		Integrations: slices.Concat(f.Integrations, other.Integrations), Digests: slices.Concat(f.Digests, other.Digests),
		Unknown: f.Unknown || other.Unknown,
	}
}

// By is a stop that has an effect.
type By struct {
	Name, Maker, Reason, UID string
	Action                   v1alpha1.StopAction
	Since                    time.Time
	// What it names, in words.
	What string
}

// Effects are what all stops together do to a prototype. The strongest wins.
type Effects struct {
	// Frozen: nothing new of it gets into production. True under every stop.
	Frozen bool
	// Gateways and Integrations are severed, sorted.
	Gateways, Integrations []string
	// Cut: all of its network is.
	Cut bool
	// Stopped: none of its pods runs. Its network is cut too.
	Stopped bool
	// By are the stops, the strongest first, then the oldest.
	By []By
}

// InForce tells whether a stop holds. A lift counts only if a second person made it, whatever let another one through.
func InForce(stop v1alpha1.EmergencyStop) bool {
	lift := stop.Spec.Lifted
	return lift == nil || lift.By == "" || lift.By == stop.Spec.By || strings.HasPrefix(lift.By, "system:")
}

// Concerns tells whether a stop of the scope is about what the facts describe. A scope that names nothing this version
// knows is about everything.
func Concerns(scope v1alpha1.StopScope, facts Facts) bool {
	named := func(name string, among []string) bool { return facts.Unknown || slices.Contains(among, name) }
	switch {
	case scope.Team != "":
		return named(scope.Team, facts.Teams)
	case scope.Gateway != "":
		return named(scope.Gateway, facts.Gateways)
	case scope.Integration != "":
		return named(scope.Integration, facts.Integrations)
	case scope.Digest != "":
		return named(scope.Digest, facts.Digests)
	}
	return true
}

// Of is what the stops do together. It is total: an action that this version does not know is taken for the strongest.
func Of(stops []v1alpha1.EmergencyStop, facts Facts) Effects {
	var e Effects
	for _, s := range stops {
		if !InForce(s) || !Concerns(s.Spec.Scope, facts) {
			continue
		}
		e.Frozen = true
		e.By = append(e.By, By{
			Name: s.Name, UID: string(s.UID), Maker: s.Spec.By, Reason: s.Spec.Reason, Action: s.Spec.Action,
			Since: s.CreationTimestamp.Time, What: What(s.Spec.Scope),
		})
		switch s.Spec.Action {
		case v1alpha1.StopFreeze:
		case v1alpha1.StopSever:
			e.sever(s.Spec.Scope, facts)
		default:
			e.Cut, e.Stopped = true, true
		}
	}
	slices.SortFunc(e.By, func(a, b By) int {
		return cmp.Or(cmp.Compare(strength(b.Action), strength(a.Action)), a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name))
	})
	slices.Sort(e.Gateways)
	slices.Sort(e.Integrations)
	e.Gateways, e.Integrations = slices.Compact(e.Gateways), slices.Compact(e.Integrations)
	return e
}

// sever cuts what the scope names; of what is unknown, and for scopes that name no place, everything.
func (e *Effects) sever(scope v1alpha1.StopScope, facts Facts) {
	switch {
	case facts.Unknown:
		e.Cut = true
	case scope.Gateway != "":
		e.Gateways = append(e.Gateways, scope.Gateway)
	case scope.Integration != "":
		e.Integrations = append(e.Integrations, scope.Integration)
	default:
		e.Cut = true
	}
}

func strength(action v1alpha1.StopAction) int {
	switch action {
	case v1alpha1.StopFreeze:
		return 0
	case v1alpha1.StopSever:
		return 1
	}
	return 2
}

// Severs tells whether anything of the network is cut.
func (e Effects) Severs() bool { return e.Cut || len(e.Gateways)+len(e.Integrations) > 0 }

// Severance is what rendering has to leave out.
func (e Effects) Severance() workload.Severance {
	return workload.Severance{All: e.Cut, Gateways: e.Gateways, Integrations: e.Integrations, Mark: e.Mark()}
}

// Mark tells pods that started after the cut from those before it: connections that were made before may outlive the
// rules that let them through. It is another one for every stop that cuts, so that a cut right after a lift counts.
func (e Effects) Mark() string {
	if !e.Severs() {
		return ""
	}
	var by []string
	for _, b := range e.By {
		if strength(b.Action) > 0 {
			by = append(by, b.UID+" "+b.Name)
		}
	}
	slices.Sort(by)
	sum := sha256.Sum256([]byte(strings.Join(by, "\n")))
	return hex.EncodeToString(sum[:8])
}

// What a scope names, in words.
func What(scope v1alpha1.StopScope) string {
	switch {
	case scope.Team != "":
		return "team " + scope.Team
	case scope.Gateway != "":
		return "gateway " + scope.Gateway
	case scope.Integration != "":
		return "integration " + scope.Integration
	case scope.Digest != "":
		return "image " + scope.Digest
	}
	return "everything"
}

// deeds are what a stop of an action does to what it names.
var deeds = map[v1alpha1.StopAction]string{v1alpha1.StopFreeze: "freezes", v1alpha1.StopSever: "severs", v1alpha1.StopStop: "stops"}

// Message names the strongest stop: what it does, why, by whom, since when, and who lifts it. Empty without a stop.
func (e Effects) Message() string {
	if len(e.By) == 0 {
		return ""
	}
	b := e.By[0]
	message := fmt.Sprintf("EmergencyStop %s %s %s since %s, by %s: %s", b.Name, cmp.Or(deeds[b.Action], "stops"), b.What,
		b.Since.UTC().Format(time.RFC3339), cmp.Or(evidence.Clean(b.Maker, 100), "somebody unknown"), evidence.Clean(b.Reason, 160))
	if more := len(e.By) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more, see kubectl get emergencystops)", more)
	}
	return message + ". Another responder than the one who made it lifts it: kubectl affineur lift " + b.Name + "."
}
