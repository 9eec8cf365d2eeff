package overhear

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/leak"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

func searching(t *testing.T) (search, leak.Record) {
	t.Helper()
	records, err := leak.Records("0123456789abcdef", 2)
	if err != nil {
		t.Fatal(err)
	}
	return search{detector: leak.NewDetector(records), result: &evidence.LogResult{}}, records[1]
}

const line = `{"level":"info","path":"/ask","ms":12}` + "\n"

// A record is found wherever in a log it is, across the boundary of two windows too, and however it is written.
func TestLogsAreReadToTheEnd(t *testing.T) {
	for at := range 6 {
		s, r := searching(t)
		record := base64.StdEncoding.EncodeToString([]byte(r.Reference)) + "\n"
		before := strings.Repeat(line, 1+window*at/2/len(line))[:max(0, window*at/2-len(record)/2)]
		log := before + "\n" + record + strings.Repeat(line, 10000)
		if err := s.read(iotest.HalfReader(strings.NewReader(log))); err != nil || len(s.result.Leaks) != 1 || s.result.Leaks[0].Record != "c2" || s.result.Cut {
			t.Errorf("window %d: %v %+v", at, err, s.result)
		}
		if s.result.Bytes != int64(len(log)) {
			t.Errorf("%d of %d bytes were read", s.result.Bytes, len(log))
		}
	}
}

func TestLogsOfNothing(t *testing.T) {
	s, _ := searching(t)
	if err := s.read(strings.NewReader("")); err != nil || s.result.Bytes != 0 || s.result.Cut {
		t.Errorf("%v %+v", err, s.result)
	}
	if err := s.read(strings.NewReader(strings.Repeat(line, 100))); err != nil || len(s.result.Leaks) > 0 {
		t.Errorf("%v %+v", err, s.result)
	}
}

// What can't be read to its end is not clean: it says so.
func TestLogsThatAreNotRead(t *testing.T) {
	s, _ := searching(t)
	if err := s.read(io.MultiReader(strings.NewReader(line), iotest.ErrReader(errors.New("the node hung up")))); err == nil {
		t.Error("half a log was taken for a whole one")
	}
	long, _ := searching(t)
	if err := long.read(strings.NewReader(strings.Repeat(line, 2+mostLog/len(line)+window/len(line)))); err != nil || !long.result.Cut {
		t.Errorf("%v %+v", err, long.result)
	}
}

func TestTalkedTo(t *testing.T) {
	since := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	pod := func(made time.Duration, restarts int32, last time.Duration) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(since.Add(made))}}
		status := corev1.ContainerStatus{RestartCount: restarts}
		if restarts > 0 {
			status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(since.Add(last))}
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{status}
		return p
	}
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		there bool
		fails bool
	}{
		"there before":                        {pod(-time.Hour, 0, 0), true, false},
		"made since":                          {pod(time.Minute, 0, 0), false, false},
		"restarted long ago":                  {pod(-time.Hour, 3, -time.Minute), true, false},
		"restarted once since":                {pod(-time.Hour, 1, -time.Minute), true, false},
		"restarted twice since, one log gone": {pod(-time.Hour, 2, time.Minute), false, true},
	} {
		if there, err := talkedTo(c.pod, since); there != c.there || (err != nil) != c.fails {
			t.Errorf("%s: %t %v", name, there, err)
		}
	}
}

// A node gives the newest file of a log only: what is large and begins after the conversation did is not all there.
func TestLogsThatTheNodePutAside(t *testing.T) {
	since := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		first   time.Duration
		lines   int
		started time.Duration
		cut     bool
	}{
		"large, and begins before":               {-time.Hour, 5000, -time.Hour, false},
		"large, and begins after":                {20 * time.Second, 5000, -time.Hour, true},
		"small, and begins after":                {20 * time.Second, 10, -time.Hour, false},
		"large, of a program that was restarted": {40 * time.Second, 5000, 30 * time.Second, false},
		"large, and long after the restart":      {5 * time.Minute, 5000, 30 * time.Second, true},
		"large, without a time":                  {0, 5000, -time.Hour, true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/namespaces/sandbox/pods/p/log" || r.URL.Query().Get("container") != workload.Name {
				t.Errorf("asked for %s", r.URL)
			}
			switch {
			case r.URL.Query().Get("timestamps") == "" && r.URL.Query().Get("sinceTime") != "":
				_, _ = io.WriteString(w, strings.Repeat(line, c.lines))
			case c.first == 0:
				_, _ = io.WriteString(w, line)
			default:
				_, _ = io.WriteString(w, since.Add(c.first).Format(time.RFC3339Nano)+" "+line[:20])
			}
		}))
		s, _ := searching(t)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "sandbox", Name: "p"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: workload.Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since.Add(c.started))}},
		}}}}
		err := Instrument{Logs: kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL})}.read(t.Context(), pod, since, &s)
		server.Close()
		if err != nil || s.result.Cut != c.cut || s.result.Bytes != int64(c.lines*len(line)) {
			t.Errorf("%s: %v %+v", name, err, s.result)
		}
	}
}

// listening is an instrument over some pods, whose logs a server gives.
func listening(t *testing.T, logs http.HandlerFunc, pods ...client.Object) Instrument {
	t.Helper()
	server := httptest.NewServer(logs)
	t.Cleanup(server.Close)
	return Instrument{Reader: fake.NewClientBuilder().WithObjects(pods...).Build(), Logs: kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL})}
}

// The logs of the prototype's own pods are searched, that of a program which ended meanwhile included, from a little before
// the conversation; and where none can have heard it, nothing is said.
func TestSample(t *testing.T) {
	const nonce = "0123456789abcdef"
	_, r := searching(t)
	since := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	c := gate.Case{Record: record.Record{Prototype: names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "u-1"}}}
	pod := func(name string, made time.Duration, labels map[string]string, change func(*corev1.ContainerStatus)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.Record.Prototype.Sandbox(), Name: name, Labels: labels, CreationTimestamp: metav1.NewTime(since.Add(made))}}
		if change != nil {
			status := corev1.ContainerStatus{Name: workload.Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since.Add(made))}}}
			change(&status)
			p.Status.ContainerStatuses = []corev1.ContainerStatus{status}
		}
		return p
	}
	own := workload.Selector(c.Record.Prototype)
	steady := func(*corev1.ContainerStatus) {}
	ended := func(s *corev1.ContainerStatus) {
		s.RestartCount = 1
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(since.Add(-time.Hour)), FinishedAt: metav1.NewTime(since.Add(time.Second))}
	}
	logs := func(w http.ResponseWriter, q *http.Request) {
		from, err := time.Parse(time.RFC3339, q.URL.Query().Get("sinceTime"))
		if err != nil || from.After(since.Add(-before)) {
			t.Errorf("asked for %s", q.URL)
		}
		if strings.Contains(q.URL.Path, "/pods/noisy/") || q.URL.Query().Get("previous") == "true" {
			_, _ = io.WriteString(w, "asked: "+r.Sentence()+"\n")
			return
		}
		_, _ = io.WriteString(w, line)
	}
	for name, one := range map[string]struct {
		pods []client.Object
		// leaks that are found, -1 where nothing can be said.
		leaks int
	}{
		"one that logs nothing of it":     {[]client.Object{pod("quiet", -time.Hour, own, steady)}, 0},
		"one that logs it":                {[]client.Object{pod("noisy", -time.Hour, own, steady)}, 1},
		"one that ended meanwhile":        {[]client.Object{pod("quiet", -time.Hour, own, ended)}, 1},
		"one of several":                  {[]client.Object{pod("quiet", -time.Hour, own, steady), pod("noisy", time.Minute, own, steady)}, 1},
		"somebody else's":                 {[]client.Object{pod("quiet", -time.Hour, own, steady), pod("noisy", -time.Hour, nil, nil)}, 0},
		"none":                            {nil, -1},
		"none that heard it":              {[]client.Object{pod("quiet", time.Minute, own, steady)}, -1},
		"one that says nothing of itself": {[]client.Object{pod("quiet", -time.Hour, own, nil)}, -1},
	} {
		order := evidence.LogOrder{Nonce: nonce, Records: 2, Since: since}
		result, err := listening(t, logs, one.pods...).Sample(t.Context(), c, gate.Run{Order: &order})
		if one.leaks < 0 {
			if err == nil {
				t.Errorf("%s: %+v", name, result)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if found := result.(*evidence.LogResult); len(found.Leaks) != one.leaks || found.Nonce != nonce || found.Validate() != nil {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
