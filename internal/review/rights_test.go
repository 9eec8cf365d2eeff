package review

import (
	"context"
	"errors"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/material"
)

// unread reads everything but ClusterRoleBindings.
type unread struct{ client.Reader }

func (u unread) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, is := list.(*rbacv1.ClusterRoleBindingList); is {
		return errors.New("clusterrolebindings is forbidden")
	}
	return u.Reader.List(ctx, list, opts...)
}

// The operator looks at the cluster's bindings, keeps what it saw, and judges by that; what it could not see passes nothing.
func TestRightsOfAPrototype(t *testing.T) {
	to := func(name, namespace string) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "prototype"}},
		}
	}
	for name, c := range map[string]struct {
		binding *rbacv1.ClusterRoleBinding
		blind   bool
		want    v1alpha1.GateState
		says    string
	}{
		"another's of the name": {to("debug", "finance"), false, v1alpha1.GatePassed, "no rights at the API server"},
		"its own":               {to("debug", identity.Production()), false, v1alpha1.GateFailed, "ClusterRoleBinding debug gives ClusterRole view"},
		"not to be seen":        {to("debug", identity.Production()), true, v1alpha1.GateInconclusive, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(w.client.Create(w.ctx(), c.binding))
			looks := material.Instrument{Instrument: security.Instrument{Rights: true}, Live: w.client}
			if c.blind {
				looks.Live = unread{w.client}
			}
			w.controller.Settings.Bench = assess.Bench{looks, scalability.Instrument{}, integration.Instrument{}}
			w.settle()
			if c.blind {
				w.exhaust(gate.SiteOperator)
			}
			got := w.review().Status.Gates[0]
			said := got.Message
			for _, f := range got.Findings {
				said += " " + f.Message
			}
			if got.Verdict != c.want || !strings.Contains(said, c.says) {
				t.Errorf("%+v", got)
			}
			if kept := w.reports(assess.ReportOf("security")); len(kept) == 0 || kept[0].Part != "rights" {
				t.Errorf("kept: %+v", kept)
			}
		})
	}
}
