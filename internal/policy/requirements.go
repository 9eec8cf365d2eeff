package policy

import (
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// RequirementsSchema names the form of Requirements; it is part of what the review digest covers.
const RequirementsSchema = "affineur.dev/requirements/v1"

// Requirements are what a policy asked when a review was opened, frozen: a later edit of the policy changes
// nothing for a review that is open. Only the catalogue entries that the prototype uses are in them, so that an
// edit elsewhere makes no other digest.
type Requirements struct {
	Schema       string                    `json:"schema"`
	Team         v1alpha1.Team             `json:"team"`
	Tier         string                    `json:"tier"`
	Gates        []v1alpha1.Gate           `json:"gates"`
	Approvals    []Approval                `json:"approvals"`
	SoakSeconds  int64                     `json:"soakSeconds"`
	DueSeconds   int64                     `json:"dueSeconds"`
	Registry     v1alpha1.Registry         `json:"registry"`
	DNS          string                    `json:"dns"`
	Limits       v1alpha1.Resources        `json:"limits"`
	RuntimeClass string                    `json:"runtimeClass,omitempty"`
	ModelGateway *v1alpha1.ModelGateway    `json:"modelGateway,omitempty"`
	Integrations []v1alpha1.Integration    `json:"integrations,omitempty"`
	Production   v1alpha1.ProductionPolicy `json:"production"`
	// ApprovalsValidForSeconds is 0 for the usual time, so that records from before there was another keep their digest.
	ApprovalsValidForSeconds int64 `json:"approvalsValidForSeconds,omitempty"`
	// Judges are the gateways that gates ask besides the prototype's own, in the order of their names.
	Judges []v1alpha1.ModelGateway `json:"judges,omitempty"`
	// DataRules are those of the data that the prototype works with; frozen where a gate asks about privacy, or shows answers
	// to a judge.
	DataRules []v1alpha1.DataRule `json:"dataRules,omitempty"`
	// ReportContent is what reports may hold; empty for counts and case ids alone.
	ReportContent v1alpha1.ReportContent `json:"reportContent,omitempty"`
}

// usualValidity is for how long approvals count where the tier does not say. It is what 0 means in every record that
// was ever frozen, so it does not change.
const usualValidity = 2160 * time.Hour

// Approval is a role whose people must approve: a quorum of distinct members of its groups.
type Approval struct {
	Role   string   `json:"role"`
	Groups []string `json:"groups"`
	Quorum int32    `json:"quorum"`
}

// Soak is how long a new revision must serve without a fault.
func (r Requirements) Soak() time.Duration { return time.Duration(r.SoakSeconds) * time.Second }

// Due is how long the roles have to decide.
func (r Requirements) Due() time.Duration { return time.Duration(r.DueSeconds) * time.Second }

// ApprovalsValidFor is for how long an approval counts after it was given.
func (r Requirements) ApprovalsValidFor() time.Duration {
	if r.ApprovalsValidForSeconds == 0 {
		return usualValidity
	}
	return time.Duration(r.ApprovalsValidForSeconds) * time.Second
}

// Judge is the gateway of a name that gates ask; nil where none was frozen.
func (r Requirements) Judge(name string) *v1alpha1.ModelGateway {
	for i := range r.Judges {
		if r.Judges[i].Name == name {
			return &r.Judges[i]
		}
	}
	return nil
}

// Gate is the gate of a type, nil if the tier has none.
func (r Requirements) Gate(kind v1alpha1.GateType) *v1alpha1.Gate {
	for i := range r.Gates {
		if r.Gates[i].Type == kind {
			return &r.Gates[i]
		}
	}
	return nil
}
