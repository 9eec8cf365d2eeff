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

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
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
		before := strings.Repeat(line, window*at/2/len(line))
		before = before[:max(0, len(before)-len(r.EMail)/2)]
		log := before + "\n" + base64.StdEncoding.EncodeToString([]byte(r.Sentence())) + "\n" + strings.Repeat(line, 10000)
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
