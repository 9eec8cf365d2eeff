package review

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/material"
	"github.com/affineur/affineur/internal/record"
	ours "github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/secretscan"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/supplychain"
	"github.com/affineur/affineur/test/signing"
)

// secured does what the runner does, with the files that the operator handed it.
func (w *world) secured(job batchv1.Job, order evidence.RunSpec) evidence.Result {
	w.Helper()
	var handed corev1.Secret
	w.must(w.client.Get(w.ctx(), client.ObjectKeyFromObject(&job), &handed))
	for _, file := range order.Files {
		if evidence.Digest(handed.Data[file.Name]) != file.Digest {
			w.Fatalf("file %s is not the one that was asked about", file.Name)
		}
	}
	if asked := evidence.As[evidence.SupplyOrder](order.Order); asked != nil {
		found, err := supplychain.Examine(*asked, handed.Data)
		w.must(err)
		return &found
	}
	asked := evidence.As[evidence.SecretsOrder](order.Order)
	texts, err := evidence.DecodeTexts(handed.Data[asked.Texts])
	w.must(err)
	found, err := secretscan.Search(w.Context(), *asked, texts)
	w.must(err)
	return &found
}

// released is a registry with an image, and what is kept beside it.
func released(t *testing.T, beside ...func(digest string) (evidence.Attachment, error)) name.Digest {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://")+"/membership/churn-advisor:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image := mutate.Annotations(empty.Image, map[string]string{"test": t.Name()}).(v1.Image)
	if err := remote.Write(tag, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	at := tag.Digest(digest.String())
	for _, make := range beside {
		attachment, err := make(at.DigestStr())
		if err != nil {
			t.Fatal(err)
		}
		if err := signing.Push(at, []evidence.Attachment{attachment}); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

// The operator gathers from a real registry, keeps what it found, hands it to a runner, and judges what that verified: the
// whole way of a security gate whose policy asks for signatures and for a search.
func TestSecurityGateWithSettings(t *testing.T) {
	key, err := signing.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	of := func(image name.Digest, env ...subject.Env) *world {
		w := newWorld(t, func(r *record.Record) {
			r.Subject.Container.Image, r.Subject.Container.Env = image.Name(), env
			r.Requirements.Registry = v1alpha1.Registry{Prefix: image.RegistryStr() + "/membership/", Scheme: v1alpha1.RegistryHTTP}
			r.Requirements.Gates[0].Security = &v1alpha1.SecurityGate{Signatures: &v1alpha1.Signatures{Keys: []v1alpha1.SignerKey{{Name: "release", PublicKey: public}}}}
		})
		w.controller.Settings.Bench = assess.Bench{material.Instrument{Live: w.client, Resolver: ours.Resolver{Live: w.client}}, scalability.Instrument{}, integration.Instrument{}}
		w.settle()
		return w
	}
	tone := subject.Env{Name: "TONE", Value: "friendly"}
	signed := of(released(t, key.Image, key.Bundle), tone)
	if got := signed.review().Status.Gates[0]; got.Verdict != v1alpha1.GatePassed || !strings.Contains(got.Message, "signed by release") || got.Attempts != 1 {
		t.Errorf("signed: %+v", got)
	}
	var parts []string
	for _, report := range signed.reports(assess.ReportOf("security")) {
		parts = append(parts, report.Part)
		if report.Part == "supply" && !strings.Contains(report.Beside[record.Summary], "| signature | release | released |") {
			t.Errorf("the summary says %q", report.Beside[record.Summary])
		}
	}
	if len(parts) != 3 {
		t.Errorf("kept: %q", parts)
	}

	if got := of(released(t)).review().Status.Gates[0]; got.Verdict != v1alpha1.GateFailed || len(got.Findings) != 1 || got.Findings[0].Reason != v1alpha1.ReasonImageNotSigned {
		t.Errorf("unsigned: %+v", got)
	}
	hidden := subject.Env{Name: "GREETING", Value: "hello ghp_" + "x7Kq2mZ9vLp4Rt8Wc1Yd" + "5Nf6Hj3Gb0QsTeUa"}
	if got := of(released(t, key.Image), hidden, tone).review().Status.Gates[0]; got.Verdict != v1alpha1.GateFailed || len(got.Findings) != 1 {
		t.Errorf("with a secret that both searches find: %+v", got)
	}
	away := released(t, key.Image)
	away.Repository, err = name.NewRepository("127.0.0.1:1/membership/churn-advisor", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if got := of(away, tone).review().Status.Gates[0]; got.Verdict != v1alpha1.GateInconclusive || !strings.Contains(got.Message, "does not answer") {
		t.Errorf("a registry that is not there: %+v", got)
	}
}
