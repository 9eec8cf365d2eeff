package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/cli/describe"
	"github.com/affineur/affineur/internal/record"
)

// wholeReport is the name of the evidence itself among the files that are kept beside it.
const wholeReport = "report.json"

func newReport(env Environment) *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "report REVIEW [GATE]",
		Short: "Show what a review's gates measured, as the records keep it: every finding, the numbers, and what they are bound to",
		Example: "  kubectl affineur report churn-advisor-1\n" +
			"  kubectl affineur report churn-advisor-1 scalability --file plot.svg > plot.svg\n" +
			"  kubectl affineur report churn-advisor-1 scalability --file " + wholeReport,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return fmt.Errorf("name one review, and one of its gates or none; to see which there are: kubectl get hardeningreviews")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			session, err := env.Connect()
			if err != nil {
				return err
			}
			review, err := session.review(command.Context(), args[0])
			if err != nil {
				return err
			}
			kept, err := session.reports(command.Context(), review, strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			for _, report := range kept {
				text, err := content(report, file)
				if err != nil {
					return err
				}
				if err := write(env.Out, plain(text)+"\n"); err != nil {
					return err
				}
			}
			return nil
		},
	}
	command.Flags().StringVar(&file, "file", record.Summary, "what to show of what is kept: "+record.Summary+", "+wholeReport+", or a file that the summary names")
	return command
}

// reports of a review's gates, or of one of them: of each the last of its newest attempt, in the order of their names.
func (s Session) reports(ctx context.Context, review *v1alpha1.HardeningReview, gate string) ([]record.Report, error) {
	ordinal, err := strconv.Atoi(strings.TrimPrefix(review.Name, review.Spec.Prototype.Name+"-"))
	if err != nil {
		return nil, fmt.Errorf("%s is no name of a review of %s", review.Name, review.Spec.Prototype.Name)
	}
	var list corev1.ConfigMapList
	err = s.Client.List(ctx, &list, client.InNamespace(v1alpha1.RecordsNamespace), client.MatchingLabels{
		v1alpha1.LabelComponent: "report", v1alpha1.LabelPrototypeUID: review.Spec.Prototype.UID, v1alpha1.LabelReview: strconv.Itoa(ordinal),
	})
	if err != nil {
		return nil, err
	}
	newest := map[string]record.Report{}
	for i := range list.Items {
		kind := list.Items[i].Labels[v1alpha1.LabelGate]
		if !assess.IsGate(kind) || gate != "" && kind != assess.ReportOf(gate) {
			continue
		}
		// One that was altered is as good as none, and is said to be so: nobody should decide on it.
		report, err := record.ReadReport(&list.Items[i])
		if err != nil {
			return nil, err
		}
		before, ok := newest[kind]
		if !ok || cmp.Or(cmp.Compare(report.Attempt, before.Attempt), report.MeasuredAt.Compare(before.MeasuredAt), cmp.Compare(report.Part, before.Part)) > 0 {
			newest[kind] = report
		}
	}
	if len(newest) == 0 {
		return nil, missing(fmt.Sprintf("no report of %s is kept yet; what it waits for: %s", cmp.Or(gate, "any gate"),
			describe.Command(review.Namespace, "explain", review.Name)))
	}
	var out []record.Report
	for _, kind := range slices.Sorted(maps.Keys(newest)) {
		out = append(out, newest[kind])
	}
	return out, nil
}

// content of a file that is kept with a report.
func content(report record.Report, file string) (string, error) {
	if file == wholeReport {
		return string(report.Body), nil
	}
	text, ok := report.Beside[file]
	switch {
	case ok:
		return text, nil
	case file == record.Summary:
		return fmt.Sprintf("%s: its measurement goes on; this part of it is kept as --file %s.", strings.TrimPrefix(report.Gate, assess.ReportOf("")), wholeReport), nil
	}
	names := append(slices.Sorted(maps.Keys(report.Beside)), wholeReport)
	return "", fmt.Errorf("there is no file %s; there are: %s", describe.Clean(file), strings.Join(names, ", "))
}

// plain drops what a terminal would obey.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
