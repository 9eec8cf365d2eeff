package material

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/security"
)

// bindingsAtOnce is how many bindings are asked for at once: a large cluster has thousands.
const bindingsAtOnce = 500

// rights looks at every binding of the cluster: one in any namespace may name an account of another.
func (i Instrument) rights(ctx context.Context, order evidence.RightsOrder) (evidence.Result, error) {
	var cluster []rbacv1.ClusterRoleBinding
	var namespaced []rbacv1.RoleBinding
	err := i.pages(ctx, func() client.ObjectList { return &rbacv1.ClusterRoleBindingList{} }, func(page client.ObjectList) {
		cluster = append(cluster, page.(*rbacv1.ClusterRoleBindingList).Items...)
	})
	if err != nil {
		return nil, err
	}
	err = i.pages(ctx, func() client.ObjectList { return &rbacv1.RoleBindingList{} }, func(page client.ObjectList) {
		namespaced = append(namespaced, page.(*rbacv1.RoleBindingList).Items...)
	})
	if err != nil {
		return nil, err
	}
	return security.Bound(order, cluster, namespaced), nil
}

// pages reads a list to its end.
func (i Instrument) pages(ctx context.Context, empty func() client.ObjectList, add func(client.ObjectList)) error {
	for next := ""; ; {
		page := empty()
		if err := i.Live.List(ctx, page, client.Limit(bindingsAtOnce), client.Continue(next)); err != nil {
			return err
		}
		add(page)
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}
