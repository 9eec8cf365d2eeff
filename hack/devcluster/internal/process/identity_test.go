package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 999 0"
	tests := []struct {
		name, stat, state string
		ticks             uint64
		fails             bool
	}{
		{"plain", "12 (etcd) S" + tail, "S", 4711, false},
		{"name with parenthesis and spaces", "12 (a) b (c) Z" + tail, "Z", 4711, false},
		{"cut short", "12 (etcd) S 1 1", "", 0, true},
		{"empty", "", "", 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state, ticks, err := parseStat(test.stat)
			if (err != nil) != test.fails {
				t.Fatalf("error = %v, fails = %v", err, test.fails)
			}
			if err == nil && (state != test.state || ticks != test.ticks) {
				t.Errorf("got %s %d, want %s %d", state, ticks, test.state, test.ticks)
			}
		})
	}
}

func TestKillEndsExactlyTheRecordedProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	recycled := id
	recycled.StartTicks--
	if recycled.Alive() {
		t.Error("a process with another start time counts as the same")
	}
	if err := recycled.Kill(time.Second); err != nil {
		t.Errorf("killing a process that is gone: %v", err)
	}
	if !id.Alive() {
		t.Fatal("the process that got the number was hit")
	}
	if err := id.Kill(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	<-ended
	if id.Alive() {
		t.Error("still alive")
	}
}

func TestRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	if id, err := Load(path); err != nil || id.Alive() {
		t.Errorf("no record: %v, alive %v", err, id.Alive())
	}
	own, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Save(path); err != nil {
		t.Fatal(err)
	}
	if id, err := Load(path); err != nil || id != own || !id.Alive() {
		t.Errorf("own record: %+v, %v", id, err)
	}
	if err := os.WriteFile(path, []byte(`{"pid":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if id, err := Load(path); err != nil || id.Alive() {
		t.Errorf("record cut short: %+v, %v", id, err)
	}
}
