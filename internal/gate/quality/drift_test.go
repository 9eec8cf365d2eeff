package quality

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
)

var declared = subject.Model{Gateway: "default", Name: "example-large", Version: "4.7"}

// by is what n answers said of their model.
func by(name, fingerprint string, n int) evidence.ModelSeen {
	return evidence.ModelSeen{Name: name, Fingerprint: fingerprint, Answers: n}
}

func TestNamesOfModels(t *testing.T) {
	for _, c := range []struct {
		name, version, seen string
		is                  bool
	}{
		{"example-large", "4.7", "example-large", true},
		{"example-large", "4.7", "Example-Large", true},
		{"example-large", "4.7", "example-large-4.7", true},
		{"example-large", "4.7", "example-large:v4.7", true},
		{"example-large", "4.7", "provider/example-large-4.7", true},
		{"provider/example-large", "4.7", "example-large", true},
		{"provider/example-large", "4.7", "other/example-large", false},
		{"example-large", "4.7", "example-large-4.8", false},
		{"example-large", "4.7", "example-large-mini", false},
		{"example-large", "4.7", "example-large-4.7-preview", false},
		{"example-large", "4.7", "example", false},
		{"example-large", "4.7", "", false},
		{"example-large", "4.7", "example-large/", false},
	} {
		if got := is(subject.Model{Name: c.name, Version: c.version}, c.seen); got != c.is {
			t.Errorf("%s %s answers as %q: %t", c.name, c.version, c.seen, got)
		}
	}
}

func TestWhoAnsweredInReview(t *testing.T) {
	eight := make([]evidence.ModelSeen, 0, evidence.MaxModels)
	for i := range evidence.MaxModels {
		eight = append(eight, by("example-large", fmt.Sprint("fp_", i), 1))
	}
	for name, c := range map[string]struct {
		models       []evidence.ModelSeen
		more, others bool
		state        gate.State
		reason, says string
		undeclared   bool
	}{
		"the declared one":      {models: []evidence.ModelSeen{by("example-large", "fp_1", 100)}, state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, says: "answered by example-large"},
		"with its version":      {models: []evidence.ModelSeen{by("example-large-4.7", "", 100)}, state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, says: "answered by example-large-4.7"},
		"another version":       {models: []evidence.ModelSeen{by("example-large-4.8", "", 100)}, state: gate.Failed, reason: v1alpha1.ReasonOtherModel, says: "answers come from example-large-4.8, and example-large 4.7 is declared"},
		"another, once":         {models: []evidence.ModelSeen{by("example-large", "", 99), by("example-mini", "", 1)}, state: gate.Failed, reason: v1alpha1.ReasonOtherModel, says: "example-mini"},
		"nobody":                {state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, says: "no answer says which model gave it"},
		"only a fingerprint":    {models: []evidence.ModelSeen{by("", "fp_1", 100)}, state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, says: "no answer says which model gave it"},
		"some":                  {models: []evidence.ModelSeen{by("example-large", "", 40)}, state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, says: "40 of 100 answers name the model example-large"},
		"many fingerprints":     {models: eight, more: true, state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, says: "answered by example-large"},
		"names that are hidden": {models: eight, more: true, others: true, state: gate.Inconclusive, reason: v1alpha1.ReasonModelUnclear, says: "more models answered"},
		"none is declared":      {models: []evidence.ModelSeen{by("example-mini", "", 100)}, undeclared: true, state: gate.Passed, reason: v1alpha1.ReasonAnswersRight},
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluation(t, 100, of(100, right))
			e.Result.Models, e.Result.MoreModels, e.Result.MoreNames = c.models, c.more, c.others
			if !c.undeclared {
				e.Model = &declared
			}
			want(t, Judge(e), c.state, c.reason, c.says)
		})
	}
}

// once is how the case's revision answered when it was approved.
type once struct {
	parts  []times
	models []evidence.ModelSeen
	more   bool
	others bool
}

// report of an evaluation of the case.
func (th once) report(t *testing.T, c gate.Case, n int) gate.Measurement {
	t.Helper()
	set, err := examples.Read([]byte(text(n)))
	if err != nil {
		t.Fatal(err)
	}
	result := answered(set, th.parts...)
	result.Models, result.MoreModels, result.MoreNames = th.models, th.more, th.others
	if err := result.Validate(); err != nil {
		t.Fatal(err)
	}
	return took(t, c, result).Runs[""].Measurement
}

// good is what was approved where a case says nothing else: 100 examples, asked twice.
func good(models ...evidence.ModelSeen) once {
	return once{parts: []times{of(100, right, right)}, models: models}
}

func TestCompare(t *testing.T) {
	large, fp1 := by("example-large", "", 200), by("example-large", "fp_1", 200)
	eight := make([]evidence.ModelSeen, 0, evidence.MaxModels)
	for i := range evidence.MaxModels {
		eight = append(eight, by("example-large", fmt.Sprint("fp_", i), 20))
	}
	many := once{parts: []times{of(100, right, right)}, models: eight, more: true}
	answering := func(models []evidence.ModelSeen, parts ...times) once { return once{parts: parts, models: models} }
	named := []evidence.ModelSeen{large}
	for name, c := range map[string]struct {
		before, now  once
		reason, says string
		// drifted, unsure, or as approved.
		is string
	}{
		"as approved":              {good(fp1), good(fp1), v1alpha1.ReasonAsApproved, "the approved model answers: example-large; of 100 examples 0 became wrong", "same"},
		"nobody was named":         {good(), good(), v1alpha1.ReasonAnswersAsApproved, "no answer says which model", "same"},
		"a new name":               {good(large), good(by("example-mini", "", 200)), v1alpha1.ReasonModelChanged, "another model answers: example-mini; approved was example-large", "drifted"},
		"a new name, once":         {good(large), good(by("example-large", "", 199), by("example-mini", "", 1)), v1alpha1.ReasonModelChanged, "example-mini", "drifted"},
		"a new version":            {good(by("example-large-4.7", "", 200)), good(by("example-large-4.8", "", 200)), v1alpha1.ReasonModelChanged, "example-large-4.8", "drifted"},
		"no version now":           {good(by("example-large-4.7", "", 200)), good(large), v1alpha1.ReasonDriftUncertain, "0 of 200 answers say which version it is; when it was approved, 200 of 200 did", "unsure"},
		"its version, too":         {good(large), good(by("example-large-4.7", "", 200)), v1alpha1.ReasonAsApproved, "answers: example-large-4.7", "same"},
		"another version, too":     {good(large), good(by("example-large-4.8", "", 200)), v1alpha1.ReasonModelChanged, "example-large-4.8", "drifted"},
		"its provider, too":        {good(large), good(by("provider/example-large", "", 200)), v1alpha1.ReasonAsApproved, "", "same"},
		"no provider now":          {good(by("provider/example-large", "", 200)), good(large), v1alpha1.ReasonDriftUncertain, "0 of 200 answers say of which provider", "unsure"},
		"another provider":         {good(by("provider/example-large", "", 200)), good(by("other/example-large", "", 200)), v1alpha1.ReasonModelChanged, "other/example-large", "drifted"},
		"in large letters":         {good(large), good(by("Example-Large", "", 200)), v1alpha1.ReasonAsApproved, "", "same"},
		"not as declared, renamed": {good(by("example-mini", "", 200)), good(by("provider/example-mini", "", 200)), v1alpha1.ReasonModelChanged, "provider/example-mini", "drifted"},
		"named since, as said":     {good(), good(large), v1alpha1.ReasonAsApproved, "", "same"},
		"named since, otherwise":   {good(), good(by("example-mini", "", 200)), v1alpha1.ReasonModelChanged, "approved was example-large 4.7", "drifted"},
		"named no longer":          {good(large), good(), v1alpha1.ReasonDriftUncertain, "0 of 200 answers say which model gave them", "unsure"},
		"named less":               {good(large), good(by("example-large", "", 150)), v1alpha1.ReasonDriftUncertain, "150 of 200", "unsure"},
		"named rarely":             {good(by("example-large", "", 199)), good(by("example-large", "", 1)), v1alpha1.ReasonDriftUncertain, "1 of 200 answers say which model gave them; when it was approved, 199 of 200 did", "unsure"},
		"named as rarely":          {good(by("example-large", "", 150)), good(by("example-large", "", 140)), v1alpha1.ReasonAsApproved, "", "same"},
		"another fingerprint":      {good(fp1), good(by("example-large", "fp_2", 200)), v1alpha1.ReasonFingerprintChanged, "fp_2; approved was fp_1", "drifted"},
		"one more fingerprint":     {good(fp1), good(by("example-large", "fp_1", 100), by("example-large", "fp_2", 100)), v1alpha1.ReasonFingerprintChanged, "fp_2", "drifted"},
		"one fingerprint less":     {good(by("example-large", "fp_1", 100), by("example-large", "fp_2", 100)), good(fp1), v1alpha1.ReasonAsApproved, "", "same"},
		"its first fingerprint":    {good(large), good(fp1), v1alpha1.ReasonAsApproved, "", "same"},
		"no fingerprint now":       {good(fp1), good(large), v1alpha1.ReasonDriftUncertain, "0 of 200 answers say under which fingerprint; when it was approved, 200 of 200 did", "unsure"},
		"hardly a fingerprint now": {good(fp1), good(by("example-large", "fp_1", 1), by("example-large", "", 199)), v1alpha1.ReasonDriftUncertain, "1 of 200 answers say under which fingerprint", "unsure"},
		"fewer fingerprints now": {good(by("example-large", "fp_1", 150), by("example-large", "", 50)), good(by("example-large", "fp_1", 100), by("example-large", "", 100)),
			v1alpha1.ReasonDriftUncertain, "100 of 200 answers say under which fingerprint", "unsure"},
		"fewer, by chance once in 1000": {good(by("example-large", "fp_1", 150), by("example-large", "", 50)), good(by("example-large", "fp_1", 121), by("example-large", "", 79)), v1alpha1.ReasonAsApproved, "", "same"},
		"one of them without":           {good(fp1), good(by("example-large", "fp_1", 199), by("example-large", "", 1)), v1alpha1.ReasonAsApproved, "", "same"},
		"a share of them without":       {good(fp1), good(by("example-large", "fp_1", 180), by("example-large", "", 20)), v1alpha1.ReasonDriftUncertain, "180 of 200 answers say under which fingerprint", "unsure"},
		"one had a fingerprint":         {good(by("example-large", "fp_1", 1), by("example-large", "", 199)), good(large), v1alpha1.ReasonAsApproved, "", "same"},
		"a third had, and none has":     {good(by("example-large", "fp_1", 60), by("example-large", "", 140)), good(large), v1alpha1.ReasonDriftUncertain, "0 of 200 answers say under which fingerprint", "unsure"},
		"most had, and nobody answers":  {answering([]evidence.ModelSeen{by("example-large", "", 79)}, of(60, broken, broken), of(40, right, right)), answering(nil, of(60, broken, broken), of(40, lost, lost)), v1alpha1.ReasonDriftUncertain, "0 of 0 answers say which model", "unsure"},
		"all had, and none of few has":  {answering([]evidence.ModelSeen{by("example-large", "fp_1", 2)}, of(99, broken, broken), of(1, right, right)), answering([]evidence.ModelSeen{by("example-large", "", 2)}, of(99, broken, broken), of(1, right, right)), v1alpha1.ReasonDriftUncertain, "0 of 2 answers say under which fingerprint", "unsure"},
		"as many fingerprints, about":   {good(by("example-large", "fp_1", 150), by("example-large", "", 50)), good(by("example-large", "fp_1", 140), by("example-large", "", 60)), v1alpha1.ReasonAsApproved, "", "same"},
		"another one, and renamed":      {good(fp1), good(by("Example-Large", "fp_2", 200)), v1alpha1.ReasonFingerprintChanged, "fp_2; approved was fp_1", "drifted"},
		"another one, without a name":   {good(fp1), good(by("", "fp_2", 200)), v1alpha1.ReasonFingerprintChanged, "fp_2; approved was fp_1", "drifted"},
		"another one, named since":      {good(by("", "fp_1", 200)), good(by("example-large", "fp_2", 200)), v1alpha1.ReasonFingerprintChanged, "fp_2; approved was fp_1", "drifted"},
		"fingerprint, no name":          {good(by("", "fp_1", 200)), good(by("", "fp_2", 200)), v1alpha1.ReasonFingerprintChanged, "fp_2", "drifted"},
		"fingerprints without number":   {many, many, v1alpha1.ReasonAsApproved, "", "same"},
		"more fingerprints than then":   {good(eight...), many, v1alpha1.ReasonDriftUncertain, "more models answered than are listed", "unsure"},
		"more names than listed":        {good(large), once{parts: many.parts, models: eight, more: true, others: true}, v1alpha1.ReasonDriftUncertain, "more models", "unsure"},

		"worse":                  {good(large), answering(named, of(10, wrong, wrong), of(90, right, right)), v1alpha1.ReasonResultsChanged, "10 became wrong and 0 became right", "drifted"},
		"worse by one answer":    {good(large), answering(named, of(10, right, wrong), of(90, right, right)), v1alpha1.ReasonResultsChanged, "10 became wrong", "drifted"},
		"worse, or by chance":    {good(large), answering(named, of(9, wrong, wrong), of(91, right, right)), v1alpha1.ReasonDriftUncertain, "9 became wrong and 0 became right since it was approved: by chance that happens 0.2 times", "unsure"},
		"hardly worse":           {good(large), answering(named, of(5, wrong, wrong), of(95, right, right)), v1alpha1.ReasonDriftUncertain, "by chance that happens 3.13 times in 100, too often", "unsure"},
		"a little worse":         {good(large), answering(named, of(4, wrong, wrong), of(96, right, right)), v1alpha1.ReasonAsApproved, "4 became wrong", "same"},
		"other ones wrong":       {answering(named, of(5, wrong, wrong), of(95, right, right)), answering(named, of(95, right, right), of(5, wrong, wrong)), v1alpha1.ReasonAsApproved, "5 became wrong and 5 became right", "same"},
		"errors":                 {good(large), answering([]evidence.ModelSeen{by("example-large", "", 180)}, of(10, broken, broken), of(90, right, right)), v1alpha1.ReasonResultsChanged, "10 became wrong", "drifted"},
		"not reached":            {good(large), answering([]evidence.ModelSeen{by("example-large", "", 180)}, of(10, unheard, unheard), of(90, right, right)), v1alpha1.ReasonAsApproved, "of 90 examples", "same"},
		"half of it not reached": {good(large), answering([]evidence.ModelSeen{by("example-large", "", 80)}, of(60, unheard, unheard), of(40, right, right)), v1alpha1.ReasonDriftUncertain, "40 of 100 examples were answered then and now", "unsure"},
		"silent":                 {good(large), answering(nil, of(100, unheard, unheard)), v1alpha1.ReasonDriftUncertain, "0 of 0 answers", "unsure"},
		"only errors":            {good(large), answering(nil, of(100, broken, broken)), v1alpha1.ReasonResultsChanged, "100 became wrong", "drifted"},
		"lost":                   {good(large), answering([]evidence.ModelSeen{by("example-large", "", 80)}, of(60, lost, lost), of(40, right, right)), v1alpha1.ReasonDriftUncertain, "40 of 100", "unsure"},
		"no longer shown": {answering(named, of(13, wrong, wrong), of(87, right, right)), answering(named, of(15, wrong, wrong), of(85, right, right)),
			v1alpha1.ReasonDriftUncertain, "85 of 100 examples are right; to be sure", "unsure"},
		"below what is asked": {answering(named, of(10, wrong, wrong), of(90, right, right)),
			answering(named, of(9, right, right), of(30, wrong, wrong), of(61, right, right)), v1alpha1.ReasonResultsChanged, "became wrong", "drifted"},
		"never was good enough": {answering(named, of(50, wrong, wrong), of(50, right, right)), answering(named, of(50, wrong, wrong), of(50, right, right)),
			v1alpha1.ReasonAsApproved, "0 became wrong", "same"},
		"another model, and worse": {good(large), answering([]evidence.ModelSeen{by("example-mini", "", 200)}, of(50, wrong, wrong), of(50, right, right)), v1alpha1.ReasonModelChanged, "example-mini", "drifted"},
		"worse, and no name":       {good(large), answering(nil, of(50, wrong, wrong), of(50, right, right)), v1alpha1.ReasonResultsChanged, "50 became wrong", "drifted"},
	} {
		t.Run(name, func(t *testing.T) {
			gc := caseOfSet(t, text(100))
			gc.Record.Subject.Model = &declared
			got := Compare(gc, c.before.report(t, gc, 100), c.now.report(t, gc, 100))
			is := "same"
			if got.Drifted {
				is = "drifted"
			} else if got.Unsure {
				is = "unsure"
			}
			if is != c.is || got.Reason != c.reason || !strings.Contains(got.Message, c.says) {
				t.Errorf("%s %s: %s\nwant %s %s: %s", is, got.Reason, got.Message, c.is, c.reason, c.says)
			}
		})
	}
}

// A slice that breaks down is a drift also where as much became right elsewhere; and it may be chance where it is not far enough down.
func TestCompareSlices(t *testing.T) {
	set := strings.Builder{}
	set.WriteString("question,expected,slice\n")
	for i := range 100 {
		slice := ""
		if i < 30 {
			slice = "fees"
		}
		fmt.Fprintf(&set, "question %d,yes,%s\n", i, slice)
	}
	gc := caseOfSet(t, set.String())
	gc.Gate.Quality.Slices = []v1alpha1.SliceFloor{{Name: "fees", MinimumExamples: 10, PassRateLowerBound: "0.90"}}
	read, err := examples.Read([]byte(set.String()))
	if err != nil {
		t.Fatal(err)
	}
	took := func(parts ...times) gate.Measurement {
		return took(t, gc, answered(read, parts...)).Runs[""].Measurement
	}
	approved := took(of(30, right, right), of(10, wrong, wrong), of(60, right, right))
	for name, c := range map[string]struct {
		now          []times
		drifted      bool
		reason, says string
	}{
		"broken down":       {[]times{of(12, wrong, wrong), of(88, right, right)}, true, v1alpha1.ReasonResultsChanged, "slice fees: 18 of 30 examples are right; 90 of 100"},
		"perhaps by chance": {[]times{of(8, wrong, wrong), of(92, right, right)}, false, v1alpha1.ReasonDriftUncertain, "slice fees: 22 of 30 examples are right; 90 of 100"},
		"or perhaps lost":   {[]times{of(8, wrong, wrong), of(8, lost, lost), of(84, right, right)}, false, v1alpha1.ReasonDriftUncertain, "slice fees: 14 of 30 examples are right, even with the 8"},
	} {
		if got := Compare(gc, approved, took(c.now...)); got.Drifted != c.drifted || got.Unsure == c.drifted || got.Reason != c.reason || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// What was not shown when it was approved is not asked for now.
	weak := took(of(12, wrong, wrong), of(88, right, right))
	if got := Compare(gc, weak, weak); got.Drifted || got.Unsure {
		t.Errorf("as weak as it was approved: %+v", got)
	}
}

// Answers the other way round, as by labels that were swapped: about as many became right as became wrong, and the share tells.
func TestCompareSwapped(t *testing.T) {
	gc := caseOfSet(t, text(100))
	gc.Gate.Quality.PassRateLowerBound = "0.50"
	approved := once{parts: []times{of(38, wrong, wrong), of(62, right, right)}}
	for right2, c := range map[int]struct {
		drifted      bool
		reason, says string
	}{
		34: {true, v1alpha1.ReasonResultsChanged, "34 of 100 examples are right; 50 of 100 answers must be"},
		38: {false, v1alpha1.ReasonDriftUncertain, "38 of 100 examples are right; 50 of 100 answers must be"},
	} {
		now := once{parts: []times{of(right2, right, right), of(100-right2, wrong, wrong)}}
		got := Compare(gc, approved.report(t, gc, 100), now.report(t, gc, 100))
		if got.Drifted != c.drifted || got.Unsure == c.drifted || got.Reason != c.reason || got.Message != c.says {
			t.Errorf("%d right: %+v", right2, got)
		}
	}
}

// Nine that all became wrong are so by chance more often than is rare: so few can't show a drift.
func TestCompareFew(t *testing.T) {
	for n, reason := range map[int]string{9: v1alpha1.ReasonDriftUncertain, 10: v1alpha1.ReasonResultsChanged} {
		gc := caseOfSet(t, text(n))
		gc.Gate.Quality.MinimumExamples, gc.Gate.Quality.PassRateLowerBound = 5, "0.50"
		before, now := once{parts: []times{of(n, right, right)}}, once{parts: []times{of(n, wrong, wrong)}}
		got := Compare(gc, before.report(t, gc, n), now.report(t, gc, n))
		if got.Reason != reason || got.Unsure != (n < fewestWatched) {
			t.Errorf("%d examples: %+v", n, got)
		}
	}
}

// What can't be used says that nobody can tell, and never that nothing drifted.
func TestCompareWhatCannotBe(t *testing.T) {
	large := by("example-large", "", 200)
	for name, c := range map[string]struct {
		edit   func(c *gate.Case, before, now *gate.Measurement)
		reason string
	}{
		"no evaluation set":     {func(c *gate.Case, _, _ *gate.Measurement) { c.Record.Subject.Evaluation = nil }, v1alpha1.ReasonNothingApproved},
		"another set":           {func(c *gate.Case, _, _ *gate.Measurement) { c.Record.Examples = nil }, v1alpha1.ReasonNothingApproved},
		"approved is lost":      {func(_ *gate.Case, before, _ *gate.Measurement) { *before = gate.Measurement{Lost: "its log is gone"} }, v1alpha1.ReasonNothingApproved},
		"approved is not there": {func(_ *gate.Case, before, _ *gate.Measurement) { *before = gate.Measurement{} }, v1alpha1.ReasonNothingApproved},
		"approved another": {func(_ *gate.Case, before, _ *gate.Measurement) {
			r := *before.Report
			r.Subject = strings.Replace(r.Subject, "aaa", "bbb", 1)
			before.Report = &r
		}, v1alpha1.ReasonNothingApproved},
		"lost":           {func(_ *gate.Case, _, now *gate.Measurement) { *now = gate.Measurement{Lost: "its log is gone"} }, v1alpha1.ReasonMeasurementLost},
		"another kind":   {func(_ *gate.Case, _, now *gate.Measurement) { now.Report.Result = &evidence.LoadReport{} }, v1alpha1.ReasonEvidenceUnverifiable},
		"old":            {func(c *gate.Case, _, _ *gate.Measurement) { c.Now = at.Add(721 * time.Hour) }, v1alpha1.ReasonEvidenceStale},
		"from to-morrow": {func(c *gate.Case, _, _ *gate.Measurement) { c.Now = at.Add(-time.Hour) }, v1alpha1.ReasonEvidenceStale},
		"examples left out": {func(_ *gate.Case, _, now *gate.Measurement) {
			r := now.Report.Result.(*evidence.QualityResult)
			r.Cases = r.Cases[:60]
		}, v1alpha1.ReasonEvidenceUnverifiable},
		"asked once": {func(_ *gate.Case, _, now *gate.Measurement) {
			r := now.Report.Result.(*evidence.QualityResult)
			for i := range r.Cases {
				r.Cases[i].Answers = r.Cases[i].Answers[:1]
			}
			r.Models = nil
		}, v1alpha1.ReasonEvidenceUnverifiable},
	} {
		t.Run(name, func(t *testing.T) {
			gc := caseOfSet(t, text(100))
			gc.Record.Subject.Model = &declared
			before, now := good(large).report(t, gc, 100), good(large).report(t, gc, 100)
			c.edit(&gc, &before, &now)
			if got := Compare(gc, before, now); !got.Unsure || got.Drifted || got.Reason != c.reason || got.Message == "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A gateway that sends its fingerprint with some answers only, as always, is as approved on all but a few of 6000 days in 200 months;
// and one that leaves it out of half of the answers that had it is found on nearly all of them.
func TestFingerprintsNowAndThen(t *testing.T) {
	const months, days, answers = 200, 30, 200
	model := declared
	day := func(dice *rand.Rand, share float64) evidence.QualityResult {
		printed := 0
		for range answers {
			if dice.Float64() < share {
				printed++
			}
		}
		return evidence.QualityResult{
			Cases:  []evidence.CaseResult{{Answers: slices.Repeat([]evidence.CaseAnswer{{Outcome: evidence.CaseRight}}, answers)}},
			Models: []evidence.ModelSeen{by("example-large", "fp_1", printed), by("example-large", "", answers-printed)},
		}
	}
	for _, share := range []float64{0.005, 0.60, 0.90, 0.995} {
		dice, doubted, found := rand.New(rand.NewPCG(1, 2)), 0, 0
		for range months {
			approved := day(dice, share)
			for range days {
				if stillSaid(&model, approved, day(dice, share)).Unsure {
					doubted++
				}
				if stillSaid(&model, approved, day(dice, share/2)).Unsure {
					found++
				}
			}
		}
		t.Logf("%v: Unknown on %d of %d days while nothing changes; half as much is found on %d", share, doubted, months*days, found)
		if doubted > 6 || share > 0.5 && found < months*days*99/100 {
			t.Errorf("%v: Unknown on %d of %d days while nothing changes; half as much is found on %d", share, doubted, months*days, found)
		}
	}
}
