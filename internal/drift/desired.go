package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// Kind of the reports, and of the runs, in a label. No gate of a policy has it.
const Kind = "drift"

// startUp is how long a run's pod may take to start, its image pulled included.
const startUp = 3 * time.Minute

// number of the measurement that is next or at work.
func (s Scene) number() int { return s.State.Number + 1 }

// name of the present run's Job, of its openings and of its report. It tells the runs of one record from those of another.
func name(r record.Record, number int) string {
	sum := sha256.Sum256([]byte(r.Name() + " " + r.ReviewDigest))
	return r.Prototype.Run(Kind, fmt.Sprintf("%s-%d", hex.EncodeToString(sum[:4]), number))
}

// runOf is the present run without its order.
func (s Scene) runOf(image string, planned gate.Run) workload.Run {
	return workload.Run{
		Identity: s.Record.Prototype, Namespace: v1alpha1.GatesNamespace, Name: name(*s.Record, s.number()),
		Component: workload.ComponentAgain, Gate: Kind, Review: strconv.Itoa(s.Record.Ordinal), Image: image,
		ServiceAccount: v1alpha1.RunnerAccount, Resolves: true, CPU: planned.CPU, Memory: planned.Memory, Files: planned.Files,
		DeadlineSeconds: int64((planned.Length + startUp).Seconds()),
	}
}

// job is the whole run.
func job(r workload.Run, planned gate.Run, subject, nonce string) (*batchv1.Job, error) {
	r.Order = evidence.RunSpec{Nonce: nonce, Subject: subject, Order: planned.Order}
	made, err := r.Job()
	if err == nil {
		workload.WaitForRoom(made)
	}
	return made, err
}

// openings let the run reach the pods of the record that serves, on the prototype's port, and no others.
func (s Scene) openings(r workload.Run) []client.Object {
	pods := workload.Selector(s.Record.Prototype)
	pods[v1alpha1.LabelReview] = strconv.Itoa(s.Record.Ordinal)
	at := workload.Surroundings{Namespace: s.Namespace.Name}
	var out []client.Object
	for _, policy := range r.Openings(at, pods, s.Record.Subject.Container.Port) {
		out = append(out, policy)
	}
	return out
}
