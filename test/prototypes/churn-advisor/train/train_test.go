package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/affineur/affineur/test/prototypes/internal/bayes"
)

const dataPath, modelPath = "../data/messages.csv", "../model/model.json"

// The floor is well below what the holdout shows (0.90): it is there to notice a broken tokenizer or a
// mislabelled file.
const accuracyFloor = 0.85

func TestHoldoutAccuracy(t *testing.T) {
	file, err := os.Open(dataPath)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	set, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.train) < 150 || len(set.holdout) < 50 {
		t.Errorf("%d messages to train on and %d held out are too few", len(set.train), len(set.holdout))
	}
	result, err := evaluate(bayes.Train(set.train), set.holdout)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	if result.accuracy() < accuracyFloor {
		t.Errorf("holdout accuracy %.3f is below %.2f", result.accuracy(), accuracyFloor)
	}
}

func TestModelIsUpToDate(t *testing.T) {
	out := filepath.Join(t.TempDir(), "model.json")
	var report strings.Builder
	if err := run(dataPath, out, &report); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(report.String(), "accuracy 0.") {
		t.Errorf("the report names no accuracy:\n%s", report.String())
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(modelPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, committed) {
		t.Error("model.json is not what the messages give: run go generate ./test/prototypes/churn-advisor/...")
	}
}

func TestReadRefuses(t *testing.T) {
	const header = "split,label,text\n"
	for name, data := range map[string]string{
		"empty":          "",
		"other columns":  "label,text\na,b\n",
		"no holdout":     header + "train,a,hello\n",
		"no training":    header + "holdout,a,hello\n",
		"other split":    header + "train,a,hello\ntest,a,good day\n",
		"no label":       header + "train,,hello\nholdout,a,good day\n",
		"leaked example": header + "train,a,hello\nholdout,a,hello\n",
		"ragged":         header + "train,a\n",
	} {
		if set, err := read(strings.NewReader(data)); err == nil {
			t.Errorf("%s: read %+v, want an error", name, set)
		}
	}
}
