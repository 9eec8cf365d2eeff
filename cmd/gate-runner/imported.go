package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/imported"
)

func takeOver(_ context.Context, r runner, order evidence.ImportOrder, _ map[string][]byte) (evidence.Result, error) {
	raw, err := resultsIn(r.results)
	if err != nil {
		return nil, err
	}
	found, err := imported.Read(order, raw)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// resultsIn the directory that a tool wrote into before: its one JSON file. A link leads nowhere: the tool would choose what
// the runner reads.
func resultsIn(directory string) ([]byte, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, errors.New("the directory for results can't be read")
	}
	defer func() { _ = root.Close() }()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, errors.New("the directory for results can't be read")
	}
	var found []string
	archived := false
	for _, entry := range entries {
		archived = archived || path.Ext(entry.Name()) == ".eval"
		if path.Ext(entry.Name()) == ".json" && entry.Type().IsRegular() {
			found = append(found, entry.Name())
		}
	}
	switch {
	case len(found) > 1:
		return nil, errors.New("the tool left several results files (*.json) in " + evidence.ResultsEnv + ": which of them counts would be a guess")
	case len(found) == 0 && archived:
		return nil, errors.New("the tool left a log in the format eval; json is understood (INSPECT_LOG_FORMAT=json)")
	case len(found) == 0:
		return nil, errors.New("the tool left no results file (*.json) in " + evidence.ResultsEnv)
	}
	file, err := root.Open(found[0])
	if err != nil {
		return nil, errors.New("the tool's results file can't be read")
	}
	raw, err := readAll(file, imported.MaxBytes)
	if err != nil {
		return nil, errors.New("the tool's results file can't be read, or is too long")
	}
	return raw, nil
}
