package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/affineur/affineur/internal/confide"
	"github.com/affineur/affineur/internal/evaluate"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/faults"
	"github.com/affineur/affineur/internal/load"
	"github.com/affineur/affineur/internal/probe"
)

// maxFileBytes bounds one file that a run is given: what a Secret holds.
const maxFileBytes = 1 << 20

// measurements that can be made, by the kind of their orders. None adds itself.
var measurements = map[evidence.Kind]measurement{
	evidence.KindIsolation:   of(isolate),
	evidence.KindLoad:        of(put),
	evidence.KindIntegration: of(integrate),
	evidence.KindQuality:     of(examine),
	evidence.KindPrivacy:     of(confideIn),
	evidence.KindSecrets:     of(search),
	evidence.KindSupply:      of(verify),
	evidence.KindFaults:      of(down),
	evidence.KindImport:      of(takeOver),
}

// measurement does what an order asks.
type measurement func(ctx context.Context, r runner, order evidence.Body, files map[string][]byte) (evidence.Result, error)

// of makes a measurement of a function that takes its order by type.
func of[T any, P interface {
	*T
	evidence.Body
}](do func(context.Context, runner, T, map[string][]byte) (evidence.Result, error)) measurement {
	return func(ctx context.Context, r runner, order evidence.Body, files map[string][]byte) (evidence.Result, error) {
		asked, err := evidence.Read[T, P](order)
		if err != nil {
			return nil, fmt.Errorf("%s can't be used: %w", evidence.RunEnv, err)
		}
		return do(ctx, r, *asked, files)
	}
}

func isolate(ctx context.Context, r runner, order evidence.IsolationSpec, _ map[string][]byte) (evidence.Result, error) {
	return probe.Isolation(ctx, order, r.here())
}

// loadMemory is a good part of what a load run's pod may use.
const loadMemory = 192 << 20

func put(ctx context.Context, r runner, order evidence.LoadSpec, _ map[string][]byte) (evidence.Result, error) {
	// The collector is lazy; with thousands of connections it must not be so lazy that the pod's limit ends the run.
	debug.SetMemoryLimit(loadMemory)
	return load.Run(ctx, order, r.guard.DialContext)
}

func integrate(ctx context.Context, r runner, order evidence.IntegrationSpec, _ map[string][]byte) (evidence.Result, error) {
	return probe.Integration(ctx, order, r.here())
}

func examine(ctx context.Context, r runner, order evidence.QualityOrder, files map[string][]byte) (evidence.Result, error) {
	result, err := evaluate.Run(ctx, order, files[order.File], r.judgeKey(order), r.guard.DialContext)
	if err != nil {
		return nil, err
	}
	presentable(ctx, order.Content, result)
	return result, nil
}

// judgeKey is the key for the judge's gateway. Without it nothing fails: the judge is not asked.
func (r runner) judgeKey(order evidence.QualityOrder) string {
	if order.Judge == nil || !order.Judge.Keyed {
		return ""
	}
	key, err := readFile(filepath.Join(r.files, evidence.JudgeKeyFile))
	if err != nil {
		return ""
	}
	return string(key)
}

func confideIn(ctx context.Context, r runner, order evidence.PrivacyOrder, _ map[string][]byte) (evidence.Result, error) {
	return confide.Run(ctx, r.nonce, order, r.guard.DialContext)
}

func down(ctx context.Context, r runner, order evidence.FaultsOrder, _ map[string][]byte) (evidence.Result, error) {
	return faults.Run(ctx, order, "", r.guard.DialContext)
}

// measure does what the spec asks.
func (r runner) measure(ctx context.Context, spec evidence.RunSpec) (evidence.Result, error) {
	do, ok := measurements[spec.Kind()]
	if !ok {
		return nil, fmt.Errorf("%q can't be measured", spec.Kind())
	}
	files, err := r.read(spec.Files)
	if err != nil {
		return nil, err
	}
	r.nonce = spec.Nonce
	result, err := do(ctx, r, spec.Order, files)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, errors.New("the runner was stopped before it was done")
	case err != nil:
		return nil, err
	}
	return result, nil
}

// read the run's files and compare them with what the order binds.
func (r runner) read(asked []evidence.File) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, f := range asked {
		content, err := readFile(filepath.Join(r.files, f.Name))
		if err != nil {
			return nil, fmt.Errorf("file %s can't be read", f.Name)
		}
		if evidence.Digest(content) != f.Digest {
			return nil, fmt.Errorf("file %s is not the one that was asked about", f.Name)
		}
		out[f.Name] = content
	}
	return out, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return readAll(file, maxFileBytes)
}

// readAll of a file, which it closes.
func readAll(file *os.File, most int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(content)) > most {
		err = errors.New("too long")
	}
	return content, errors.Join(err, file.Close())
}

// here is where the run is, as the kubelet says in its environment.
func (r runner) here() probe.Here {
	at := probe.Here{Guard: r.guard}
	at.Node, _ = netip.ParseAddr(os.Getenv(evidence.NodeAddressEnv))
	for text := range strings.SplitSeq(os.Getenv(evidence.PodAddressesEnv), ",") {
		if address, err := netip.ParseAddr(text); err == nil && len(at.Pod) < 2 {
			at.Pod = append(at.Pod, address)
		}
	}
	return at
}
