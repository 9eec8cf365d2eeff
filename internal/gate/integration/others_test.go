package integration_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate/integration"
)

func pods(namespace string, port int32, labels ...string) v1alpha1.Destination {
	d := v1alpha1.PodDestination{Namespace: namespace, Port: port, PodLabels: map[string]string{}}
	for i := 0; i+1 < len(labels); i += 2 {
		d.PodLabels[labels[i]] = labels[i+1]
	}
	return v1alpha1.Destination{Pods: &d}
}

func cidr(prefix string, port int32) v1alpha1.Destination {
	return v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: prefix, Port: port}}
}

func TestOthers(t *testing.T) {
	at := func(address string, to v1alpha1.Destination) *v1alpha1.Endpoint {
		return &v1alpha1.Endpoint{Address: address, To: to}
	}
	catalogue := v1alpha1.Catalogue{
		ModelGateways: []v1alpha1.ModelGateway{{Name: "default", Address: "http://gateway.models.svc/v1", To: pods("models", 8080, "app", "gateway")}},
		Integrations: []v1alpha1.Integration{
			{Name: "lms", Sandbox: at("https://lms-test.lms.svc:443", pods("lms", 8443, "app", "lms-test")),
				Production: at("https://lms.lms.svc:443", pods("lms", 8443, "app", "lms"))},
			{Name: "crm", Production: at("https://crm.example.org:443", cidr("203.0.113.0/28", 443))},
			{Name: "erp", Production: at("https://203.0.113.7:443", cidr("203.0.113.7/32", 443))},
			{Name: "none"},
		},
	}
	all := []integration.Other{{"integration crm", "crm.example.org", 443}, {"integration erp", "203.0.113.7", 443}, {"integration lms", "lms.lms.svc", 443},
		{"model gateway default", "gateway.models.svc", 80}, {"test instance of lms", "lms-test.lms.svc", 443}}
	without := func(names ...string) []integration.Other {
		var out []integration.Other
		for _, o := range all {
			kept := true
			for _, name := range names {
				kept = kept && o.Name != name
			}
			if kept {
				out = append(out, o)
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		declared []v1alpha1.Destination
		want     []integration.Other
	}{
		"nothing declared":        {nil, all},
		"one":                     {[]v1alpha1.Destination{pods("lms", 8443, "app", "lms")}, without("integration lms")},
		"pods that may be both":   {[]v1alpha1.Destination{pods("lms", 8443, "tier", "front")}, without("integration lms", "test instance of lms")},
		"another port":            {[]v1alpha1.Destination{pods("lms", 9999, "app", "lms")}, all},
		"another namespace":       {[]v1alpha1.Destination{pods("sml", 8443, "app", "lms")}, all},
		"a range around two":      {[]v1alpha1.Destination{cidr("203.0.113.0/24", 443)}, without("integration crm", "integration erp")},
		"a range on another port": {[]v1alpha1.Destination{cidr("203.0.113.0/24", 80)}, all},
		"a range beside":          {[]v1alpha1.Destination{cidr("203.0.113.8/32", 443)}, without("integration crm")},
	} {
		if diff := cmp.Diff(c.want, integration.Others(catalogue, c.declared)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := all[0].At(netip.MustParseAddr("2001:db8::1")); got != "[2001:db8::1]:443" {
		t.Errorf("got %s", got)
	}
}
