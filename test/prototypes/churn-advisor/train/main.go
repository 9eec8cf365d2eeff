// Command train makes the model of churn-advisor from its labelled messages and prints how well it
// does on those that were held out.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/affineur/affineur/test/prototypes/internal/bayes"
)

func main() {
	data := flag.String("data", "data/messages.csv", "labelled messages")
	out := flag.String("out", "model/model.json", "where to write the model")
	flag.Parse()
	if err := run(*data, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(dataPath, outPath string, report io.Writer) error {
	file, err := os.Open(dataPath)
	if err != nil {
		return err
	}
	defer file.Close()
	set, err := read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", dataPath, err)
	}
	model := bayes.Train(set.train)
	result, err := evaluate(model, set.holdout)
	if err != nil {
		return err
	}
	fmt.Fprintf(report, "trained on %d messages; holdout: %s\n", len(set.train), result)
	for _, miss := range result.misses {
		fmt.Fprintf(report, "  %s taken for %s: %s\n", miss.Label, miss.got, miss.Text)
	}
	encoded, err := model.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(outPath, encoded, 0o644)
}
