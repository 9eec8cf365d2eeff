package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// extended is the policy with gates of the organisation's own: scanned asks another operator's report, styled runs an
	// image of IT's.
	extended, scanned, styled = "corpus-extended", "scanned", "styled"
)

// extends adds both gates. The reports are ConfigMaps here, named after their prototypes.
func (g *ground) extends(spec map[string]any) {
	adds(spec, map[string]any{"name": scanned, "type": string(v1alpha1.GateResource), "resource": map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "namespace": organisation, "nameExpression": "prototype.name",
		"madeAt": "object.data.made", "maxAge": "24h",
		"successWhen": "object.data.critical == '0'", "failureWhen": "object.data.critical != '0' && object.data.sure == 'yes' || object.data.sure == 'always'",
	}})
	adds(spec, map[string]any{"name": styled, "type": string(v1alpha1.GateJob), "job": map[string]any{
		"image": g.houseStyle, "network": string(v1alpha1.JobSandbox), "settings": []any{map[string]any{"name": "path", "value": "/v1/ask"}},
	}})
}

// mayRead lets the operator read the reports, as IT would.
func mayRead() client.Object {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "corpus-reads-reports", Labels: map[string]string{v1alpha1.LabelAggregateToReads: "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}},
	}
}

// scans are the reports. All but one are about a prototype that is fine otherwise.
func scans(now time.Time) []client.Object {
	report := func(prototype, critical, sure string, made time.Time) client.Object {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: organisation, Name: prototype},
			Data: map[string]string{"critical": critical, "sure": sure, "made": made.UTC().Format(time.RFC3339)}}
	}
	incomplete := report("scan-incomplete", "", "no", now).(*corev1.ConfigMap)
	delete(incomplete.Data, "critical")
	return []client.Object{
		report("scan-clean", "0", "yes", now), report("gullible", "0", "yes", now), report("scan-critical", "3", "yes", now),
		report("scan-old", "0", "yes", now.Add(-48*time.Hour)), report("scan-of-tomorrow", "0", "yes", now.Add(24*time.Hour)),
		report("scan-unsure", "3", "no", now), report("scan-contradicts", "0", "always", now), incomplete,
	}
}

// extensions are prototypes to which a gate of the organisation's own objects.
func extensions() []sample {
	report := func(name, hole, reason string) sample {
		return sample{name: name, hole: hole, gate: scanned, reason: reason, policy: extended, edit: func(*v1alpha1.AIPrototype) {}}
	}
	return []sample{
		report("scan-critical", "a report of another operator that says what is wrong", v1alpha1.ReasonFailureShown),
		report("scan-old", "a report that is good, and two days old", v1alpha1.ReasonResourceOld),
		report("scan-of-tomorrow", "a report that says it was made tomorrow", v1alpha1.ReasonResourceOld),
		report("scan-unsure", "a report that shows neither", v1alpha1.ReasonNeitherShown),
		report("scan-contradicts", "a report that shows both", v1alpha1.ReasonBothShown),
		report("scan-incomplete", "a report that lacks what is asked", v1alpha1.ReasonConditionUndecided),
		report("scan-missing", "no report at all", v1alpha1.ReasonResourceMissing),
		{name: "gullible", hole: "it answers what makes no sense as if it did", gate: styled, reason: v1alpha1.ReasonJobFailed, policy: extended, edit: plays("gullible")},
		{name: "scan-clean", hole: "a report about it that says that all is well, and a house style that it keeps", policy: extended, edit: func(*v1alpha1.AIPrototype) {}},
	}
}
