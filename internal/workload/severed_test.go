package workload

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/affineur/affineur/api/v1alpha1"
)

// shared are surroundings in which two integrations lead to the same place, and the gateway elsewhere.
func shared() (at Surroundings, place v1alpha1.Destination) {
	pods := func(namespace string) v1alpha1.Destination {
		return v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: namespace, PodLabels: map[string]string{"app": "api"}, Port: 443}}
	}
	place = pods("crm")
	at = Surroundings{Identity: identity, Namespace: identity.Production(), Purpose: v1alpha1.PurposeProduction}
	at.Requirements.ModelGateway = &v1alpha1.ModelGateway{Name: "default", To: pods("gateway")}
	for _, name := range []string{"crm", "crm-reports"} {
		at.Requirements.Integrations = append(at.Requirements.Integrations, v1alpha1.Integration{Name: name, Production: &v1alpha1.Endpoint{To: place}})
	}
	return at, place
}

// What is cut off under one name is not reached under another.
func TestSeveredUnderEveryName(t *testing.T) {
	for name, severed := range map[string]func(place v1alpha1.Destination) Severance{
		"by one of its names": func(v1alpha1.Destination) Severance { return Severance{Integrations: []string{"crm-reports"}} },
		"by its place":        func(place v1alpha1.Destination) Severance { return Severance{To: []v1alpha1.Destination{place}} },
	} {
		at, place := shared()
		at.Severed = severed(place)
		for _, p := range NetworkPolicies(at, 8080) {
			if Lets(p, place) {
				t.Errorf("%s: %s leads there", name, p.Name)
			}
		}
		if got := at.Destinations(); len(got) != 1 || got[0].Pods.Namespace != "gateway" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Closing what stands comes to the same as rendering it closed, so that the two never undo each other.
func TestClosed(t *testing.T) {
	at, place := shared()
	for name, severed := range map[string]Severance{"a place": {To: []v1alpha1.Destination{place}}, "everything": {All: true}} {
		open, closed := NetworkPolicies(at, 8080), at
		closed.Severed = severed
		changed := false
		for i, want := range NetworkPolicies(closed, 8080) {
			p := open[i]
			if closed := Closed(p, severed.All, severed.To); closed != nil {
				p, changed = closed, true
			}
			if !equality.Semantic.DeepEqual(p.Spec, want.Spec) {
				t.Errorf("%s: %s opens %+v, rendered %+v", name, p.Name, p.Spec, want.Spec)
			}
			if Closed(p, severed.All, severed.To) != nil {
				t.Errorf("%s: %s was closed before", name, p.Name)
			}
		}
		if !changed {
			t.Errorf("%s: nothing was closed", name)
		}
	}
	if Closed(&networkingv1.NetworkPolicy{}, true, nil) != nil {
		t.Error("what opens nothing can't be closed")
	}
}
