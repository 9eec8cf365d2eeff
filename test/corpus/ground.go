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
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/people"
	"github.com/affineur/affineur/test/story/quick"
)

const (
	// home is the namespace of the team whose prototypes are tried, and the name of the policy that governs it.
	home = "corpus"
	// organisation is where the systems stand that prototypes use.
	organisation = "corpus-systems"
	teamGroup    = "team-corpus"
	// patience with preparing and clearing.
	patience = 4 * time.Minute
)

// ground is a cluster on which Affineur is installed.
type ground struct {
	// admin looks; lead is the business user who applies.
	admin, lead client.WithWatch
	root        string
	registry    string
	// houseStyle is an image of a gate of one's own, by digest.
	houseStyle string
	// golden is an image that evaluates prototypes, by digest.
	golden  string
	signers signers
}

func newGround(ctx context.Context, root string) (*ground, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst, config.WarningHandler = 100, 200, rest.NoWarnings{}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	g := &ground{root: root}
	if g.registry, err = quick.Registry(root); err != nil {
		return nil, err
	}
	if g.admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	if g.houseStyle, err = pinned(filepath.Join(root, "bin", "gates", "images.json"), "house-style"); err != nil {
		return nil, err
	}
	if g.golden, err = pinned(filepath.Join(root, "bin", "gates", "images.json"), "golden"); err != nil {
		return nil, err
	}
	if g.signers, err = newSigners(); err != nil {
		return nil, err
	}
	personal, err := people.Certified(ctx, g.admin, config, people.Person{Name: "corpus-lead@example.org", Groups: []string{teamGroup}})
	if err != nil {
		return nil, err
	}
	personal.QPS, personal.Burst, personal.WarningHandler = config.QPS, config.Burst, config.WarningHandler
	g.lead, err = client.NewWithWatch(personal, client.Options{Scheme: scheme})
	return g, err
}

// pinned is an image that hack/images pushed: repository@digest.
func pinned(file, name string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var pushed map[string]struct{ Image, Digest string }
	if err := json.Unmarshal(content, &pushed); err != nil {
		return "", err
	}
	image := pushed[name].Image
	if image == "" {
		return "", fmt.Errorf("%s names no image %s", file, name)
	}
	return image[:strings.LastIndex(image, ":")] + "@" + pushed[name].Digest, nil
}

// policies by name, each of a namespace of the same name. Each tries what it adds to the corpus's own.
func (g *ground) policies() map[string]func(spec map[string]any) {
	return map[string]func(map[string]any){home: nil, loaded: climbs, scaling: scales, answering: rightAnswers, judged: isJudged, succeeding: succeeds, extended: g.extends, private: keeps, guarded: g.private, released: g.signers.asksForPapers,
		byPromptfoo: g.imports(v1alpha1.ImportPromptfoo, "promptfoo"), byInspect: g.imports(v1alpha1.ImportInspectAI, "inspect"),
		identified: namesPeople, metered: watches}
}

// climb says how far above the demand is looked for the knee. It decides nothing, and takes more time than what does.
func climb(spec map[string]any, to string) {
	for _, gate := range spec["gates"].([]any) {
		if settings, there := gate.(map[string]any)["scalability"].(map[string]any); there {
			settings["climbTo"] = to
		}
	}
}

// adds a gate to a policy and its tier, in place of one of its name.
func adds(spec map[string]any, gate map[string]any) {
	others := slices.DeleteFunc(spec["gates"].([]any), func(other any) bool { return other.(map[string]any)["name"] == gate["name"] })
	spec["gates"] = append(others, gate)
	tier := spec["tiers"].([]any)[0].(map[string]any)
	tier["gates"] = append(tier["gates"].([]any), gate["name"])
}

// prepare takes away what an interrupted run left, and makes the namespaces, the systems and the policies.
func (g *ground) prepare(ctx context.Context) error {
	if err := g.clear(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the ground was not ready within %s", patience))
	defer cancel()
	if err := g.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: organisation}}); err != nil {
		return err
	}
	if err := g.standUp(ctx); err != nil {
		return err
	}
	for name, edit := range g.policies() {
		if err := g.govern(ctx, name, edit); err != nil {
			return err
		}
	}
	for _, object := range append(scans(time.Now()), mayRead(), message(), requests()) {
		if err := g.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	if err := errors.Join(g.handOut(ctx), g.show(ctx), g.vouch(ctx)); err != nil {
		return err
	}
	for _, name := range []string{"systems", "neighbour"} {
		at := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: organisation, Name: name}}
		if err := await.Object(ctx, g.admin, at, func(d *appsv1.Deployment) (bool, error) { return d.Status.AvailableReplicas == 1, nil }); err != nil {
			return err
		}
	}
	for name := range g.policies() {
		policy := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		err := await.Object(ctx, g.admin, policy, func(p *v1alpha1.HardeningPolicy) (bool, error) {
			return apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) &&
				apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionGuardsInPlace), nil
		})
		if err != nil {
			return fmt.Errorf("%w; it says %+v", err, policy.Status.Conditions)
		}
	}
	return nil
}

// govern makes a team's namespace, its people's rights and its policy. A role that nobody has keeps what passes out of
// production: the gates are tried here, not promotion.
func (g *ground) govern(ctx context.Context, name string, edit func(spec map[string]any)) error {
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{quick.Governs: name, v1alpha1.LabelTeam: name}}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "team"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: teamGroup}},
		},
	} {
		if err := g.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return quick.Govern(ctx, g.admin, g.root, name, func(spec map[string]any) {
		spec["teams"] = []any{map[string]any{"name": name, "groups": []any{teamGroup}}}
		spec["tiers"].([]any)[0].(map[string]any)["approvals"] = []any{map[string]any{"role": "security"}}
		sandbox := spec["sandbox"].(map[string]any)
		sandbox["registries"].([]any)[0].(map[string]any)["prefix"] = g.registry + "/corpus/"
		limits := sandbox["limits"].(map[string]any)
		limits["prototypesPerTeam"] = int64(100)
		delete(limits, "perTeam")
		spec["catalogue"].(map[string]any)["integrations"] = catalogue()
		climb(spec, "1")
		if edit != nil {
			edit(spec)
		}
	})
}

// clear takes away everything of the corpus: prototypes first, which take their sandboxes with them.
func (g *ground) clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	var objects []client.Object
	for name := range g.policies() {
		var left v1alpha1.AIPrototypeList
		if err := g.admin.List(ctx, &left, client.InNamespace(name)); err != nil {
			return err
		}
		for i := range left.Items {
			if err := g.takeAway(ctx, &left.Items[i]); err != nil {
				return err
			}
		}
		for i := range left.Items {
			if err := g.gone(ctx, &left.Items[i]); err != nil {
				return err
			}
		}
		objects = append(objects, &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: organisation}})
	objects = append(append(objects, keptByIT()...), mayRead())
	var problems []error
	for _, object := range objects {
		problems = append(problems, client.IgnoreNotFound(g.admin.Delete(ctx, object)))
	}
	for _, object := range objects {
		problems = append(problems, await.Gone(ctx, g.admin, object))
	}
	return errors.Join(problems...)
}

// takeAway retires and deletes a prototype.
func (g *ground) takeAway(ctx context.Context, p *v1alpha1.AIPrototype) error {
	err := g.admin.Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"target":"Retired"}}`)))
	if err == nil {
		err = g.admin.Delete(ctx, p)
	}
	return client.IgnoreNotFound(err)
}

// gone waits until nothing of a prototype is left.
func (g *ground) gone(ctx context.Context, p *v1alpha1.AIPrototype) error {
	if err := await.Gone(ctx, g.admin, p.DeepCopy()); err != nil {
		return err
	}
	return await.NothingLeft(ctx, g.admin, names.Of(p))
}
