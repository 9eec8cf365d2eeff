package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/people"
	"github.com/affineur/affineur/test/story/quick"
)

// Namespaces of the attacks.
const (
	// unguarded is nobody's business: controls are made there, and what lures stands there.
	unguarded = "attacks"
	// home is the namespace of the team whose people attack, dark the same under a policy without DNS.
	home = "attacks-team"
	dark = "attacks-dark"
)

const (
	teamGroup  = "team-attacks"
	darkGroup  = "team-attacks-dark"
	responders = "attacks-responders"
	pipeline   = "pipeline"
)

// person is somebody with a way to the API server of their own.
type person struct {
	client.WithWatch
	name   string
	config *rest.Config
}

// field is where the attacks are made, and who makes them.
type field struct {
	root     string
	scheme   *runtime.Scheme
	registry string
	// images are those that hack/images pushed, by name: repository@digest.
	images map[string]pushed

	// admin looks, and makes controls.
	admin *person
	// lead is a business user, with edit in the team's namespaces. membership is one of the demo's team.
	lead, membership *person
	// responder makes emergency stops, and second lifts them.
	responder, second *person
	// pipeline is a GitOps account that somebody stole: a cluster-admin. thief holds the operator's token.
	pipeline, thief *person
	// holder holds a responder's token to cut off by hand, as soon as there is one.
	holder *person

	ground
}

type pushed struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
}

func (p pushed) pinned() string { return p.Image[:strings.LastIndex(p.Image, ":")] + "@" + p.Digest }

func newField(ctx context.Context, root string) (*field, error) {
	f := &field{root: root, scheme: runtime.NewScheme(), images: map[string]pushed{}}
	if err := errors.Join(clientgoscheme.AddToScheme(f.scheme), v1alpha1.AddToScheme(f.scheme)); err != nil {
		return nil, err
	}
	var err error
	if f.registry, err = quick.Registry(root); err != nil {
		return nil, err
	}
	digests, err := os.ReadFile(filepath.Join(root, "bin", "demo", "digests.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(digests, &f.images); err != nil {
		return nil, err
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	if f.admin, err = f.as("the cluster's administrator", config); err != nil {
		return nil, err
	}
	return f, f.introduce(ctx)
}

func (f *field) as(name string, config *rest.Config) (*person, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 100, 200
	config.WarningHandler = rest.NoWarnings{}
	c, err := client.NewWithWatch(config, client.Options{Scheme: f.scheme})
	return &person{WithWatch: c, name: name, config: config}, err
}

// introduce gives everybody an identity of their own: people a client certificate, accounts a token, as whoever stole
// one would have it.
func (f *field) introduce(ctx context.Context) error {
	if err := f.accounts(ctx); err != nil {
		return err
	}
	for _, human := range []struct {
		into *(*person)
		people.Person
	}{
		{&f.lead, people.Person{Name: "attacks-lead@example.org", Groups: []string{teamGroup, darkGroup}}},
		{&f.responder, people.Person{Name: "attacks-responder@example.org", Groups: []string{responders}}},
		{&f.second, people.Person{Name: "attacks-second@example.org", Groups: []string{responders}}},
		{&f.membership, people.Person{Name: "membership-lead@example.org", Groups: []string{"team-membership"}}},
	} {
		personal, err := people.Certified(ctx, f.admin, f.admin.config, human.Person)
		if err != nil {
			return err
		}
		if *human.into, err = f.as(human.Name, personal); err != nil {
			return err
		}
	}
	for _, account := range []struct {
		into            *(*person)
		name            string
		namespace, home string
	}{
		{&f.pipeline, "a stolen GitOps account", unguarded, pipeline},
		{&f.thief, "a stolen operator token", v1alpha1.SystemNamespace, "affineur"},
	} {
		made := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: account.namespace, Name: account.home}}
		token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
		if err := f.admin.SubResource("token").Create(ctx, made, token); err != nil {
			return err
		}
		stolen := rest.AnonymousClientConfig(f.admin.config)
		stolen.BearerToken = token.Status.Token
		var err error
		if *account.into, err = f.as(account.name, stolen); err != nil {
			return err
		}
	}
	return nil
}

// accounts makes the namespaces, and the pipeline's account with all rights that RBAC can give.
func (f *field) accounts(ctx context.Context) error {
	// What an interrupted run left goes first.
	if err := f.clear(ctx); err != nil {
		return err
	}
	namespace := func(name string, labels map[string]string) client.Object {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	edits := func(namespace, group string) client.Object {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "team"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
		}
	}
	for _, object := range []client.Object{
		namespace(unguarded, nil),
		namespace(home, map[string]string{quick.Governs: home, v1alpha1.LabelTeam: home}),
		namespace(dark, map[string]string{quick.Governs: dark, v1alpha1.LabelTeam: dark}),
		edits(home, teamGroup), edits(dark, darkGroup),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: unguarded, Name: pipeline}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "attacks-responders"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "affineur-responder"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: responders}},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "attacks-responders"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "affineur-responder"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: responders}},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "attacks-pipeline"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: unguarded, Name: pipeline}},
		},
	} {
		if err := f.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// clear takes away everything of the attacks: prototypes, which take their sandboxes and production with them, then the
// namespaces and rights.
func (f *field) clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	var problems []error
	for _, namespace := range []string{home, dark} {
		problems = append(problems, f.clearPrototypes(ctx, namespace))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, name := range []string{stopped, severed} {
		if err := f.clearStop(ctx, name); err != nil {
			return err
		}
	}
	objects := []client.Object{
		&v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: stopped}}, &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: severed}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "attacks-pipeline"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "attacks-responders"}},
		&rbacv1.RoleBinding{ObjectMeta: in(v1alpha1.SystemNamespace, "attacks-responders")},
	}
	for _, name := range []string{home, dark} {
		objects = append(objects, &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for _, name := range []string{home, dark, unguarded} {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	objects = append(objects, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "attacks-token"}})
	for _, object := range objects {
		problems = append(problems, client.IgnoreNotFound(f.admin.Delete(ctx, object)))
	}
	if f.thief != nil {
		// What a thief made in the operator's name, only the operator takes away.
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: thiefs}}
		objects = append(objects, made)
		problems = append(problems, client.IgnoreNotFound(f.thief.Delete(ctx, made)))
	}
	for _, object := range objects {
		problems = append(problems, await.Gone(ctx, f.admin, object))
	}
	return errors.Join(problems...)
}

// clearStop lifts an emergency stop that an interrupted run left: only then it can be deleted. Whoever made it, it was not
// the administrator.
func (f *field) clearStop(ctx context.Context, name string) error {
	made := &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := f.admin.Get(ctx, client.ObjectKeyFromObject(made), made)
	if err != nil || made.Spec.Lifted != nil {
		return client.IgnoreNotFound(err)
	}
	return f.admin.Patch(ctx, made, merge(lift))
}

func (f *field) clearPrototypes(ctx context.Context, namespace string) error {
	var left v1alpha1.AIPrototypeList
	if err := f.admin.List(ctx, &left, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range left.Items {
		p := &left.Items[i]
		err := f.admin.Patch(ctx, p, merge(`{"spec":{"target":"Retired"}}`))
		if err == nil {
			err = f.admin.Delete(ctx, p)
		}
		if err == nil && len(foreign(p)) > 0 {
			err = f.release(ctx, p)
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	for i := range left.Items {
		if err := f.leftNothing(ctx, &left.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// foreign are the finalizers of a prototype that are not ours.
func foreign(p *v1alpha1.AIPrototype) []string {
	var out []string
	for _, finalizer := range p.Finalizers {
		if finalizer != v1alpha1.FinalizerSandbox {
			out = append(out, finalizer)
		}
	}
	return out
}

// release takes off the finalizers that are not ours, while the operator may be taking off its own.
func (f *field) release(ctx context.Context, p *v1alpha1.AIPrototype) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		p.Finalizers = slices.DeleteFunc(p.Finalizers, func(finalizer string) bool { return finalizer != v1alpha1.FinalizerSandbox })
		return f.admin.Update(ctx, p)
	})
}
