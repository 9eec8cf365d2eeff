// Command operator runs Affineur's controllers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// version is set when the image is built.
var version = "dev"

// options are what an installation may choose.
type options struct {
	leaderElect bool
	metricsAddr string
	healthAddr  string
	runnerImage string
	remeasure   time.Duration
	runsAtMost  int
	beyond      netip.AddrPort
	ranges      prefixes
}

func main() {
	var o options
	flag.BoolVar(&o.leaderElect, "leader-elect", false, "let one of several replicas work at a time")
	flag.StringVar(&o.metricsAddr, "metrics-bind-address", ":8443", "where metrics are served over TLS to authorized callers; 0 for nowhere")
	flag.StringVar(&o.healthAddr, "health-probe-bind-address", ":8081", "where probes are answered")
	flag.StringVar(&o.runnerImage, "runner-image", os.Getenv("AFFINEUR_RUNNER_IMAGE"), "the gate-runner's image; default from AFFINEUR_RUNNER_IMAGE")
	flag.DurationVar(&o.remeasure, "remeasure-isolation", time.Hour, "how often the isolation of a running sandbox is measured again")
	flag.IntVar(&o.runsAtMost, "measurements-at-most", 8, "how many measurements of gates may be at work in the cluster at the same time; the others wait")
	flag.TextVar(&o.beyond, "isolation-beyond", netip.AddrPort{}, "IP:port of something outside the cluster that no sandbox and no undeclared production may reach and pods elsewhere do, to try; nothing is tried without it")
	flag.Var(&o.ranges, "cluster-ranges", "CIDRs of the cluster's own, separated by commas, that neither its nodes nor its ServiceCIDRs tell, such as pods' where the network plugin gives addresses, and the control plane's; no catalogue may open them")
	zapOptions := zap.Options{}
	zapOptions.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&zapOptions)))

	if err := start(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "operator stopped")
		os.Exit(1)
	}
}

// prefixes are CIDRs in a flag, separated by commas.
type prefixes []netip.Prefix

func (p *prefixes) String() string { return strings.Trim(fmt.Sprint([]netip.Prefix(*p)), "[]") }

// Set replaces what was set before.
func (p *prefixes) Set(text string) error {
	*p = nil
	for part := range strings.SplitSeq(text, ",") {
		one, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		*p = append(*p, one)
	}
	return nil
}

func start(ctx context.Context, o options) error {
	if o.runnerImage == "" {
		return errors.New("no runner image: set AFFINEUR_RUNNER_IMAGE or --runner-image")
	}
	config := ctrl.GetConfigOrDie()
	// Client-side throttling would only hide the API server's own fair queueing.
	config.QPS = -1
	if err := checkServer(config); err != nil {
		return err
	}
	manager, err := newManager(config, o)
	if err != nil {
		return err
	}
	if err := addControllers(ctx, manager, o); err != nil {
		return err
	}
	if err := manager.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return err
	}
	if err := manager.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return err
	}
	ctrl.Log.Info("operator starts", "version", version, "runner", o.runnerImage)
	return manager.Start(ctx)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}
