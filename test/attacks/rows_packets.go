package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
)

// line is what the intruding program tells of one try.
type line struct {
	Try   string
	Done  bool
	Error string
	At    time.Time
}

// tried reads what a pod's program told of a try, as somebody who may read its log.
func (f *field) tried(ctx context.Context, who *person, namespace, pod, try string) (line, error) {
	var found line
	err := await.Until(ctx, func() error {
		lines, err := f.log(ctx, who, namespace, pod)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(lines, func(l line) bool { return l.Try == try })
		if at < 0 {
			return fmt.Errorf("%s/%s tells nothing of %s", namespace, pod, try)
		}
		found = lines[at]
		return nil
	})
	return found, err
}

func (f *field) log(ctx context.Context, who *person, namespace, pod string) ([]line, error) {
	clients, err := kubernetes.NewForConfig(who.config)
	if err != nil {
		return nil, err
	}
	raw, err := clients.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	return linesOf(bytes.NewReader(raw)), nil
}

func linesOf(from io.Reader) []line {
	var out []line
	scanner := bufio.NewScanner(from)
	for scanner.Scan() {
		var one line
		if json.Unmarshal(scanner.Bytes(), &one) == nil && one.Try != "" {
			out = append(out, one)
		}
	}
	return out
}

// packets are rows 16, 17 and 18, as far as a malicious container gets from its sandbox. The control is the same program
// in an ordinary pod beside the sandboxes, which could do all of it.
func (f *field) packets() []attack {
	var out []attack
	for _, p := range []struct {
		row             int
		what, try, told string
	}{
		{16, "connecting to the cloud's metadata service", f.tries.metadata, swallowed},
		{16, "connecting to the kubelet of its node", f.tries.kubelet, swallowed},
		{16, "connecting to the API server's Service", f.tries.apiServer, swallowed},
		{16, "connecting to the API server's own address", f.tries.apiServerOnNode, swallowed},
		{16, "reading a token of the API server", inside[0], "no such file or directory"},
		{17, "sending to a resolver of its own choice", f.tries.resolver, swallowed},
		{17, "connecting to a host on the internet", f.tries.internet, swallowed},
		{17, "connecting to another namespace's Service", f.tries.neighbour, swallowed},
		{18, "becoming root", inside[1], "operation not permitted"},
		{18, "opening a raw socket", inside[2], "operation not permitted"},
		{18, "making a device file of the node's disk", inside[3], "operation not permitted"},
		{18, "writing into its image", inside[4], "read-only file system"},
	} {
		out = append(out, f.escapes(p.row, p.what, p.try, p.told, f.intruder))
	}
	out = append(out, f.escapes(17, "asking the cluster's resolver where the policy gives no DNS", f.tries.lookup, swallowed, f.blind))
	wide := func(cidr string) attack {
		policy := &v1alpha1.HardeningPolicy{}
		return attack{row: 17, who: f.pipeline.name, what: "a policy that opens " + cidr, meant: []wall{schemaSays("production.to.cidr.range: Invalid value: \"" + cidr)},
			control: func(ctx context.Context) error {
				return f.pipeline.Create(ctx, f.policyFor("198.18.0.0/24"), client.DryRunAll)
			},
			try: func(ctx context.Context) (string, error) {
				policy = f.policyFor(cidr)
				return f.refused(ctx, func(ctx context.Context) error { return f.pipeline.Create(ctx, policy) }, policy)
			}}
	}
	for _, cidr := range []string{"0.0.0.0/0", "10.0.0.0/8", "169.254.169.254/32", "100.100.100.200/32", "fd00:ec2::254/128"} {
		a := wide(cidr)
		if !strings.HasSuffix(cidr, "/0") && !strings.HasSuffix(cidr, "/8") {
			a.row = 16
		}
		out = append(out, a)
	}
	return out
}

// policyFor opens one range for an integration, in no namespace that there is.
func (f *field) policyFor(cidr string) *v1alpha1.HardeningPolicy {
	p := &v1alpha1.HardeningPolicy{}
	_ = f.admin.Get(context.Background(), client.ObjectKey{Name: home}, p)
	p.ObjectMeta = metav1.ObjectMeta{Name: "attacks-wide"}
	p.Spec.AppliesTo.NamespaceSelector.MatchLabels = map[string]string{"affineur.dev/e2e": "nowhere"}
	p.Spec.Catalogue.Integrations = []v1alpha1.Integration{{Name: "wide", Production: &v1alpha1.Endpoint{
		Address: "http://wide.example.org:80", To: v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: cidr, Port: 80}}},
		Check: v1alpha1.IntegrationCheck{HTTP: &v1alpha1.HTTPCheck{Path: "/", ExpectStatus: 200}}}}
	return p
}

// swallowed is what a program is told whose packets go nowhere. Where they were rejected, somebody was there to do so.
const swallowed = "i/o timeout"

// escapes is something that a container tries from its sandbox, and what it has to be told. Its control is asked before
// the attack, and again after it: a target that died meanwhile is reached by nobody.
func (f *field) escapes(row int, what, try, told string, p *v1alpha1.AIPrototype) attack {
	return attack{
		row: row, who: "a malicious container", what: what, meant: []wall{{by: "the sandbox (", says: told}},
		control: func(ctx context.Context) error {
			if p == f.blind {
				// Where the policy gives DNS, the same program in a sandbox is answered.
				if err := f.comes(ctx, p, running); err != nil {
					return err
				}
				pod, err := f.pod(ctx, f.admin, f.sandbox)
				if err != nil {
					return err
				}
				got, err := f.tried(ctx, f.lead, f.sandbox, pod.Name, try)
				if err == nil && !got.Done {
					err = errors.New(got.Error)
				}
				return err
			}
			got, err := f.tried(ctx, f.admin, unguarded, "outside", try)
			if err == nil && !got.Done {
				err = fmt.Errorf("from an ordinary pod: %s", got.Error)
			}
			return err
		},
		try: func(ctx context.Context) (string, error) {
			namespace := p.Status.Sandbox.Namespace
			pod, err := f.pod(ctx, f.admin, namespace)
			if err != nil {
				return "", err
			}
			got, err := f.tried(ctx, f.lead, namespace, pod.Name, try)
			if err != nil {
				return "", err
			}
			if got.Done {
				return "", errors.New("it did it")
			}
			return "the sandbox (the program was told: " + short(got.Error) + ")", f.stillWorks(ctx, p, got)
		},
	}
}

// stillWorks wants an ordinary pod to do what a sandbox's container could not, later than that one tried.
func (f *field) stillWorks(ctx context.Context, p *v1alpha1.AIPrototype, refused line) error {
	later := "after-" + p.Name
	if err := client.IgnoreAlreadyExists(f.admin.Create(ctx, f.ordinary(later))); err != nil {
		return err
	}
	got, err := f.tried(ctx, f.admin, unguarded, later, refused.Try)
	switch {
	case err != nil:
		return err
	case !got.At.After(refused.At):
		return fmt.Errorf("an ordinary pod did it at %s, before the attack at %s", got.At, refused.At)
	case !got.Done:
		return fmt.Errorf("the control, which worked before the attack, does not after it: %s", got.Error)
	}
	return nil
}
