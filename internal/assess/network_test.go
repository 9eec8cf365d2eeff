package assess

import (
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
)

// A sandbox that was isolated under other network policies was not shown to be isolated under these.
func TestIsolationIsBoundToThePolicies(t *testing.T) {
	rec := hardened(t)
	now := opened.Add(time.Hour)
	for name, test := range map[string]struct {
		edit func(*record.Record)
		want string
	}{
		"the same":         {func(*record.Record) {}, secure},
		"another resolver": {func(r *record.Record) { r.Requirements.DNS = "None" }, "Pending NotMeasured"},
		"another destination": {func(r *record.Record) {
			r.Requirements.Integrations[0].Sandbox = &v1alpha1.Endpoint{To: v1alpha1.Destination{
				Pods: &v1alpha1.PodDestination{Namespace: "crm", PodLabels: map[string]string{"app": "crm"}, Port: 8443},
			}}
		}, "Pending NotMeasured"},
	} {
		t.Run(name, func(t *testing.T) {
			measured := isolationReports(t, hardened(t, test.edit), now.Add(-time.Minute), inputs, false)
			if got := verdicts(bench.Gates(rec, measured, now)[:1]); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	unnamed := isolationReports(t, rec, now.Add(-time.Minute), inputs, false)
	for i := range unnamed {
		unnamed[i].Network = ""
	}
	if got := verdicts(bench.Gates(rec, unnamed, now)[:1]); got != "Pending NotMeasured" {
		t.Errorf("under policies that nobody named: %s", got)
	}
}
