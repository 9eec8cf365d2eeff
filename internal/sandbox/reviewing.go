package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// maxAuthors is the most that a review can name.
const maxAuthors = 64

// prior is a review as far as it decides about the next.
type prior struct {
	subject, review string
	// doubt about the authors that the review was opened with.
	doubt         string
	outcome       v1alpha1.ReviewOutcome
	opened, ended time.Time
	// retired means that what it let into production was taken out again.
	retired bool
	// takenBack is when what it let into production was rolled back after it had served; zero where it was not.
	takenBack time.Time
	// drifted means that it was asked to be looked at again, for its model drifted.
	drifted bool
}

// answers tells whether the prior review speaks for the present subject, so that no other is opened.
//
// An open review and one that ended in production stand while the subject is the same: an edit of the policy affects
// new reviews only. What was retired comes back through a review of its own. A rejected or rolled back subject is
// looked at again only when somebody asks for it after that, and so is one whose model drifted in production. An open review under requirements that changed meanwhile
// is opened anew when somebody asks for that.
func (p prior) answers(subject, review string, request time.Time) bool {
	if p.subject != subject {
		return false
	}
	switch p.outcome {
	case v1alpha1.OutcomePromoted:
		return !p.retired && !p.drifted && (p.takenBack.IsZero() || !request.After(p.takenBack))
	case v1alpha1.OutcomeRejected, v1alpha1.OutcomeRolledBack:
		return !request.After(p.ended)
	case "":
		return p.review == review || !request.After(p.opened)
	}
	return false
}

// answered tells whether the prior review speaks for the present subject under the present requirements. The doubt
// about the authors is the review's own: nobody's wish can have it forgotten, and no request opens a review anew for it.
func (s Snapshot) answered(p prior) bool {
	digest := s.ReviewDigest
	if p.doubt != "" {
		// What the digest is made of was digested before; without one the review would only be opened anew.
		digest, _ = record.ReviewDigest(s.SubjectDigest, s.Requirements, p.doubt)
	}
	return p.answers(s.SubjectDigest, digest, s.requestTime())
}

// requestTime is when somebody asked for a new look; zero where nobody did or the time can't be read.
func (s Snapshot) requestTime() time.Time {
	at, err := time.Parse(time.RFC3339, s.request())
	if err != nil {
		return time.Time{}
	}
	return at
}

// viewed is the newest review as its view tells.
func (s Snapshot) viewed() (prior, bool) {
	newest := s.newest()
	if newest == nil {
		return prior{}, false
	}
	p := prior{
		subject: newest.Spec.SubjectDigest, review: newest.Spec.ReviewDigest,
		doubt: newest.Spec.AuthorsDoubt, outcome: newest.Status.Outcome, opened: newest.CreationTimestamp.Time,
	}
	if newest.Status.OutcomeAt != nil {
		p.ended = newest.Status.OutcomeAt.Time
	}
	p.retired, p.takenBack, p.drifted = retired(newest), takenBack(newest), s.approvesAnew()
	return p, true
}

// retired tells whether production was taken down after this review had let it in.
func retired(review *v1alpha1.HardeningReview) bool {
	promotion := review.Status.Promotion
	return promotion != nil && promotion.Step == v1alpha1.StepRetired
}

// ripe tells whether the subject is ready for a review: asked for, running isolated, and nothing left to be resolved.
func (s Snapshot) ripe(isolation *v1alpha1.IsolationStatus, now time.Time) bool {
	return s.wantsProduction() && s.Subject != nil && len(s.Problems) == 0 && !s.Image.Pending &&
		s.running() && s.health(now).Available && s.isolated(isolation, now)
}

// serving is the review that let in what serves now, if that is the present subject: nobody is asked about it again,
// whatever was reviewed since, but where its model drifted and somebody asks for a review of what answers now.
func (s Snapshot) serving() *v1alpha1.HardeningReview {
	production := s.production()
	if s.approvesAnew() || production == nil || s.SubjectDigest == "" || production.SubjectDigest != s.SubjectDigest {
		return nil
	}
	review := s.view(production.Review)
	if review == nil || review.Spec.SubjectDigest != s.SubjectDigest || review.Status.Promotion == nil ||
		review.Status.Promotion.Step != v1alpha1.StepServing {
		return nil
	}
	return review
}

// lost tells whether a review that was open has no view any more.
func (s Snapshot) lost() bool {
	known := s.Prototype.Status.Review
	return known != nil && known.Outcome == "" && s.view(known.Name) == nil
}

func (s Snapshot) view(name string) *v1alpha1.HardeningReview {
	for i := range s.Reviews {
		if s.Reviews[i].Name == name {
			return &s.Reviews[i]
		}
	}
	return nil
}

// needsRecords tells whether the decision about a review has to look into the records: only when one is to be opened
// or restored.
func (s Snapshot) needsRecords(now time.Time) bool {
	if s.deleting() {
		return false
	}
	if s.lost() {
		return true
	}
	if !s.ripe(s.measured(), now) || s.reviewProblem() != nil || s.serving() != nil {
		return false
	}
	last, any := s.viewed()
	return !any || !s.answered(last)
}

// reviewProblem is what keeps a ripe subject from its review.
func (s Snapshot) reviewProblem() *policy.Problem {
	authors := s.authors()
	switch {
	case len(authors) == 0 || s.Prototype.Annotations[v1alpha1.AnnotationRequestedBy] == "":
		return &policy.Problem{
			Reason: v1alpha1.ReasonGuardsNotInPlace, Owner: v1alpha1.OwnerIT,
			Message: "It is not known who wrote this prototype or who asked for production: the admission policies were not in place then.",
			Hint:    "IT puts the admission policies in place; then the team changes the spec, or asks again.",
		}
	case len(authors) > maxAuthors:
		return &policy.Problem{
			Reason: v1alpha1.ReasonTooManyAuthors, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%d people changed this prototype; a review can name %d.", len(authors), maxAuthors),
			Hint:    "Create a new prototype under a new name, and retire this one.",
		}
	}
	return nil
}

// review decides what to do about reviews. A record without its view is the trace of a crash, or of a view that was
// destroyed: the view is made anew before anything else. Otherwise the next ordinal is taken.
func (s Snapshot) review(isolation *v1alpha1.IsolationStatus, now time.Time) (Action, *record.Record) {
	if s.Records == nil {
		return "", nil
	}
	newest := s.Records.Newest
	if newest != nil && s.Records.Outcome.Outcome == "" && s.view(newest.Prototype.Review(newest.Ordinal)) == nil {
		return RestoreReview, newest
	}
	if !s.ripe(isolation, now) || s.reviewProblem() != nil || s.serving() != nil {
		return "", nil
	}
	if newest != nil {
		last := s.Records.prior()
		view := s.view(newest.Prototype.Review(newest.Ordinal))
		last.drifted = s.approvesAnew()
		if view != nil {
			last.retired, last.takenBack = retired(view), takenBack(view)
		}
		if s.answered(last) {
			return "", nil
		}
	}
	next := s.record(s.Records.Last + 1)
	next.AuthorsDoubt, next.ReviewDigest = s.Records.Doubt, s.Records.ReviewDigest
	next.Baselines = s.Records.Baselines
	return OpenReview, &next
}

func (r Records) prior() prior {
	return prior{
		subject: r.Newest.SubjectDigest, review: r.Newest.ReviewDigest, doubt: r.Newest.AuthorsDoubt,
		outcome: r.Outcome.Outcome, opened: r.Created, ended: r.Outcome.At.Time,
	}
}

// record of the present subject, whose authors nobody doubts yet. Its digests are computed already.
func (s Snapshot) record(ordinal int) record.Record {
	return record.Record{
		Schema: record.Schema, Prototype: s.Identity, Ordinal: ordinal, Title: s.title(),
		Subject: *s.Subject, SubjectDigest: s.SubjectDigest, Requirements: s.Requirements, ReviewDigest: s.ReviewDigest,
		PolicyName: s.Policy.Name, RequestedBy: s.Prototype.Annotations[v1alpha1.AnnotationRequestedBy], Authors: s.authors(),
		Examples: s.References.Examples.packed,
	}
}

// title is the team and the problem in its own words.
func (s Snapshot) title() string {
	team := []rune(s.Requirements.Team.Name)
	if len(team) > 0 {
		team[0] = unicode.ToUpper(team[0])
	}
	return evidence.Clean(string(team)+": "+s.Prototype.Spec.Need.Problem, 120)
}

// ordinal of a review, from its name; 0 where it has none.
func ordinal(identity names.Identity, review string) int {
	tail, ok := strings.CutPrefix(review, identity.Name+"-")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(tail)
	if err != nil {
		return 0
	}
	return n
}
