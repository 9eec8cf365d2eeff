package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

type decideOptions struct {
	verdict           v1alpha1.DecisionVerdict
	role, reason      string
	gate, approveWhen string
	yes               bool
	wait              time.Duration
}

func newApprove(env Environment) *cobra.Command {
	options := decideOptions{verdict: v1alpha1.VerdictApprove}
	return options.command(env, "approve REVIEW", "Approve a review in your role, under your own name",
		"  kubectl affineur approve churn-advisor-1 --role security --reason 'findings mended'")
}

func newReject(env Environment) *cobra.Command {
	options := &decideOptions{verdict: v1alpha1.VerdictReject}
	command := options.command(env, "reject REVIEW", "Reject a review in your role, and say when you would approve",
		"  kubectl affineur reject churn-advisor-1 --role security --approve-when 'the key is in a Secret'")
	command.Flags().StringVar(&options.approveWhen, "approve-when", "", "what would have to change for you to approve (needed)")
	command.Flags().StringVar(&options.gate, "gate", "", "the gate that you object to, if it is one")
	return command
}

func newRevoke(env Environment) *cobra.Command {
	options := decideOptions{verdict: v1alpha1.VerdictRevoke}
	return options.command(env, "revoke REVIEW", "Take back your own earlier decision in the same role",
		"  kubectl affineur revoke churn-advisor-1 --role security --reason 'decided on the wrong one'")
}

func (o *decideOptions) command(env Environment, use, short, example string) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Example: example, Args: oneReview,
		RunE: func(command *cobra.Command, args []string) error {
			if o.verdict == v1alpha1.VerdictReject && o.approveWhen == "" {
				return errors.New("say what would have to change for you to approve: --approve-when '…'")
			}
			session, err := env.Connect()
			if err != nil {
				return err
			}
			return o.run(command.Context(), env, session, args[0])
		},
	}
	command.Flags().StringVar(&o.role, "role", "", "the role in which you decide; may be left out where you hold exactly one that is asked for")
	command.Flags().StringVar(&o.reason, "reason", "", "why, in your words")
	command.Flags().DurationVar(&o.wait, "wait", 5*time.Second, "how long to wait for whether it counts; 0 does not wait")
	addYes(command, &o.yes)
	return command
}

func (o *decideOptions) run(ctx context.Context, env Environment, session Session, name string) error {
	review, err := session.review(ctx, name)
	if err != nil {
		return err
	}
	if closed := describe.Closed(review); closed != "" {
		return fmt.Errorf("%s takes no decision any more: %s%s", name, closed, session.newest(ctx, review))
	}
	person := session.whoAmI(ctx)
	if o.role == "" {
		if o.role, err = session.chooseRole(ctx, o.candidates(review, person)); err != nil {
			return err
		}
	}
	page := describe.Choosing(review, session.reviewed(ctx, review), o.choice(person), env.Clock.Now(), env.Paint)
	if err := write(env.Out, page); err != nil {
		return err
	}
	if err := confirm(ctx, env, string(o.verdict)+" it?", o.yes); err != nil {
		return err
	}
	decision := o.decision(review)
	if err := session.Client.Create(ctx, decision, client.FieldOwner(fieldManager)); err != nil {
		return err
	}
	if err := write(env.Out, fmt.Sprintf("\nRecorded as %s.\n", describe.Clean(decision.Name))); err != nil {
		return err
	}
	return o.await(ctx, env, session, review, decision.Name)
}

func (o *decideOptions) choice(person string) describe.Choice {
	return describe.Choice{
		Role: o.role, Verdict: o.verdict, Reason: o.reason, Gate: o.gate, ApproveWhen: o.approveWhen, By: person,
	}
}

// decision binds exactly the review that was shown: were another made under its name meanwhile, UID and digest
// would differ and the decision would not count.
func (o *decideOptions) decision(review *v1alpha1.HardeningReview) *v1alpha1.HardeningDecision {
	decision := &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:    review.Namespace,
			GenerateName: review.Name + "-" + o.role + "-",
		},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: review.Name, UID: string(review.UID)},
			ReviewDigest: review.Spec.ReviewDigest,
			Role:         o.role,
			Verdict:      o.verdict,
			Reason:       o.reason,
		},
	}
	if o.verdict == v1alpha1.VerdictReject {
		decision.Spec.Reject = &v1alpha1.Rejection{Gate: o.gate, ApproveWhen: o.approveWhen}
	}
	return decision
}
