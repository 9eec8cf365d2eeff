package evidence

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

const (
	// MaxSettings bounds what a gate of IT's own is told.
	MaxSettings = 32
	// MaxJobFindings bounds the holes that it may find.
	MaxJobFindings = 32
	// MaxMeasurements bounds the numbers that it may tell.
	MaxMeasurements = 64

	maxSetting = 1024
	maxWords   = 512
)

// Setting is one word of the policy to the image of a Job gate.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// JobOrder is what the image of a Job gate is told.
type JobOrder struct {
	// URL of the prototype in its sandbox; empty where the policy gives the job no network.
	URL string `json:"url,omitempty"`
	// Prototype is NAMESPACE/NAME, for people.
	Prototype string `json:"prototype"`
	// Image of the prototype, by digest.
	Image    string    `json:"image"`
	Settings []Setting `json:"settings,omitempty"`
}

var (
	wordForm      = regexp.MustCompile(`^[A-Za-z]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$`)
	prototypeForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	pinnedForm    = regexp.MustCompile(`^[^@\s]{1,512}@sha256:[0-9a-f]{64}$`)
)

// Kind of the order.
func (o JobOrder) Kind() Kind { return KindJob }

// Validate says what is wrong with the order, or nil.
func (o JobOrder) Validate() error {
	if o.URL != "" {
		if u, err := url.Parse(o.URL); err != nil || u.Scheme != "http" || u.Host == "" || len(o.URL) > maxWords {
			return errors.New("url is no http URL")
		}
	}
	switch {
	case len(o.Prototype) > 2*maxObjectName || !prototypeForm.MatchString(o.Prototype):
		return errors.New("prototype is not NAMESPACE/NAME")
	case !pinnedForm.MatchString(o.Image):
		return errors.New("image is not by digest")
	case len(o.Settings) > MaxSettings:
		return fmt.Errorf("%d settings, %d are allowed", len(o.Settings), MaxSettings)
	}
	seen := map[string]bool{}
	for i, s := range o.Settings {
		if !wordForm.MatchString(s.Name) || len(s.Value) > maxSetting || seen[s.Name] {
			return fmt.Errorf("settings[%d] has no usable name, repeats one, or is too long", i)
		}
		seen[s.Name] = true
	}
	return nil
}

// JobVerdict is what the image of a Job gate says.
type JobVerdict string

// What it may say.
const (
	JobPassed       JobVerdict = "Passed"
	JobFailed       JobVerdict = "Failed"
	JobInconclusive JobVerdict = "Inconclusive"
)

// JobFinding is one hole that the image found.
type JobFinding struct {
	// Field of the AIPrototype to change; empty where it is not there.
	Field string `json:"field,omitempty"`
	// Message says what is wrong and why it matters, Hint how to mend it.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Owner is Business or IT.
	Owner string `json:"owner"`
}

// Measurement is one number that the image measured.
type Measurement struct {
	Name string `json:"name"`
	// Value is a decimal, with a sign where it has one.
	Value string `json:"value"`
	Unit  string `json:"unit,omitempty"`
}

// JobResult is what the image of a Job gate has to say.
type JobResult struct {
	Verdict JobVerdict `json:"verdict"`
	// Summary is one sentence.
	Summary      string        `json:"summary"`
	Findings     []JobFinding  `json:"findings,omitempty"`
	Measurements []Measurement `json:"measurements,omitempty"`
}

// Kind of the result.
func (r *JobResult) Kind() Kind { return KindJob }

// Validate says what is wrong with the result, or nil. A verdict that its findings contradict is none.
func (r *JobResult) Validate() error {
	switch {
	case r.Verdict != JobPassed && r.Verdict != JobFailed && r.Verdict != JobInconclusive:
		return errors.New("verdict is not Passed, Failed or Inconclusive")
	case r.Summary == "" || len(r.Summary) > maxWords:
		return errors.New("summary is missing or too long")
	case len(r.Findings) > MaxJobFindings || len(r.Measurements) > MaxMeasurements:
		return errors.New("too many findings or measurements")
	case r.Verdict == JobPassed && len(r.Findings) > 0:
		return errors.New("it passed, with findings")
	case r.Verdict == JobFailed && len(r.Findings) == 0:
		return errors.New("it failed, without a finding")
	}
	for i, f := range r.Findings {
		if f.Message == "" || len(f.Message) > maxWords || len(f.Hint) > maxWords || len(f.Field) > maxText || f.Owner != "Business" && f.Owner != "IT" {
			return fmt.Errorf("findings[%d] has no message, an owner that is not Business or IT, or is too long", i)
		}
	}
	seen := map[string]bool{}
	for i, m := range r.Measurements {
		if _, err := finite(m.Value); err != nil || !wordForm.MatchString(m.Name) || len(m.Unit) > 32 || seen[m.Name] {
			return fmt.Errorf("measurements[%d] is no number, has no usable name, or repeats one", i)
		}
		seen[m.Name] = true
	}
	return nil
}

// Clean makes the result's texts fit to be shown.
func (r *JobResult) Clean() {
	r.Summary = Clean(r.Summary, maxWords)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Field, f.Message, f.Hint = Clean(f.Field, maxText), Clean(f.Message, maxWords), Clean(f.Hint, maxWords)
	}
	for i := range r.Measurements {
		r.Measurements[i].Unit = Clean(r.Measurements[i].Unit, 32)
	}
}
