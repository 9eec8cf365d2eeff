package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Measure looks at the guards now, as the operator that the config stands for, and returns what is known with it. It
// writes nothing; the Controller keeps what it finds. An error means that not even what was known could be read;
// guards that can't be measured are a State that is not InPlace.
func Measure(ctx context.Context, config *rest.Config) (State, error) {
	m, err := NewMeter(config)
	if err != nil {
		return State{}, err
	}
	return m.Measure(ctx)
}

// Meter measures, as often as it is asked.
type Meter struct {
	// operator acts as the operator, dry as the operator by dry run, checks as the checker by dry run.
	operator, dry, checks client.Client
	shipped               guards
}

// NewMeter is a Meter that acts as the operator that the config stands for.
func NewMeter(config *rest.Config) (*Meter, error) {
	shipped, err := read(manifest)
	if err != nil {
		return nil, fmt.Errorf("the shipped guards can't be read: %w", err)
	}
	operator, err := newClient(config)
	if err != nil {
		return nil, err
	}
	impersonating := rest.CopyConfig(config)
	impersonating.Impersonate = rest.ImpersonationConfig{UserName: checker}
	checks, err := newClient(impersonating)
	if err != nil {
		return nil, err
	}
	return &Meter{operator: operator, dry: client.NewDryRunClient(operator), checks: client.NewDryRunClient(checks), shipped: shipped}, nil
}

// Measure is what the package's function of the same name does.
func (m *Meter) Measure(ctx context.Context) (State, error) {
	known, err := Load(ctx, m.operator)
	if err != nil {
		return State{}, err
	}
	return known.next(m.look(ctx)), nil
}

// newClient knows its few kinds by itself, so that it asks nobody to discover them.
func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(admissionv1.AddToScheme(scheme), corev1.AddToScheme(scheme), networkingv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
	if err != nil {
		return nil, err
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for scope, kinds := range map[meta.RESTScope][]schema.GroupVersionKind{
		meta.RESTScopeRoot: {
			admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy"),
			admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicyBinding"),
			admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy"),
			admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicyBinding"),
			corev1.SchemeGroupVersion.WithKind("Namespace"),
			v1alpha1.GroupVersion.WithKind("HardeningPolicy"),
		},
		meta.RESTScopeNamespace: {
			corev1.SchemeGroupVersion.WithKind("ConfigMap"),
			networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
			v1alpha1.GroupVersion.WithKind("AIPrototype"),
			v1alpha1.GroupVersion.WithKind("HardeningDecision"),
			v1alpha1.GroupVersion.WithKind("HardeningReview"),
		},
	} {
		for _, kind := range kinds {
			mapper.Add(kind, scope)
		}
	}
	return client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
}

// look compares, tries and compares again, so that what was tried is what the fingerprint names. Of several
// findings the worst counts: Changed before Unknown.
func (m *Meter) look(ctx context.Context) measurement {
	before, err := m.live(ctx)
	if err != nil {
		return unknown("the guards can't be read: " + err.Error())
	}
	at, tried := m.try(ctx)
	after, err := m.live(ctx)
	if err != nil {
		return unknown("the guards can't be read: " + err.Error())
	}
	seen := fingerprint(m.shipped, after)
	if seen != fingerprint(m.shipped, before) {
		return unknown("the guards were changed while they were measured; they are measured again")
	}
	var verdicts []verdict
	for _, difference := range differences(m.shipped, after) {
		verdicts = append(verdicts, verdict{v1alpha1.ReasonGuardsChanged, difference})
	}
	reason, message := worst(append(verdicts, tried...))
	if reason == v1alpha1.ReasonGuardsMeasured {
		message = fmt.Sprintf("%d admission policies are as shipped and refused %d forgeries",
			len(m.shipped.mutating)+len(m.shipped.validating), len(tried))
	}
	if at.IsZero() {
		at = time.Now()
	}
	return measurement{at: at, fingerprint: seen, reason: reason, message: message}
}

func unknown(message string) measurement {
	return measurement{at: time.Now(), reason: v1alpha1.ReasonGuardsUnknown, message: message}
}

// worst sums up: the gravest reason, and what was found for it, with who can mend it.
func worst(verdicts []verdict) (reason, message string) {
	for _, reason := range []string{v1alpha1.ReasonGuardsChanged, v1alpha1.ReasonGuardsUnknown} {
		var found []string
		for _, v := range verdicts {
			if v.reason == reason {
				found = append(found, v.message)
			}
		}
		if len(found) > 0 {
			return reason, clip(strings.Join(found, "; "), 700) + ". Whoever installs Affineur can restore the admission policies from its manifest"
		}
	}
	return v1alpha1.ReasonGuardsMeasured, ""
}

func clip(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "…"
}

// try makes every forgery and tells the API server's time, or the zero time.
func (m *Meter) try(ctx context.Context) (time.Time, []verdict) {
	at, stamp := stamped(ctx, m.checks)
	verdicts := []verdict{stamp}
	existing, err := m.anyPolicy(ctx)
	if err != nil {
		verdicts = append(verdicts, verdict{v1alpha1.ReasonGuardsUnknown, "no HardeningPolicy can be read to forge its status: " + err.Error()})
	}
	for _, forgery := range forgeries(m.checks, m.dry, existing) {
		verdicts = append(verdicts, forgery.judge(forgery.try(ctx)))
	}
	return at, verdicts
}

func (m *Meter) anyPolicy(ctx context.Context) (*v1alpha1.HardeningPolicy, error) {
	var policies v1alpha1.HardeningPolicyList
	if err := m.operator.List(ctx, &policies, client.Limit(1)); err != nil || len(policies.Items) == 0 {
		return nil, err
	}
	return &policies.Items[0], nil
}

// live reads the guards as they are.
func (m *Meter) live(ctx context.Context) (guards, error) {
	found := newGuards()
	var (
		mutating           admissionv1.MutatingAdmissionPolicyList
		mutatingBindings   admissionv1.MutatingAdmissionPolicyBindingList
		validating         admissionv1.ValidatingAdmissionPolicyList
		validatingBindings admissionv1.ValidatingAdmissionPolicyBindingList
	)
	for _, list := range []client.ObjectList{&mutating, &mutatingBindings, &validating, &validatingBindings} {
		if err := m.operator.List(ctx, list); err != nil {
			return found, err
		}
	}
	for _, o := range mutating.Items {
		found.mutating[o.Name] = o
	}
	for _, o := range mutatingBindings.Items {
		found.mutatingBindings[o.Name] = o
	}
	for _, o := range validating.Items {
		found.validating[o.Name] = o
	}
	for _, o := range validatingBindings.Items {
		found.validatingBindings[o.Name] = o
	}
	parameters := &corev1.ConfigMap{}
	err := m.operator.Get(ctx, client.ObjectKeyFromObject(m.shipped.parameters), parameters)
	if err == nil {
		found.parameters = parameters
	}
	return found, client.IgnoreNotFound(err)
}
