package cli

import (
	"github.com/spf13/cobra"

	"github.com/affineur/affineur/internal/cli/describe"
)

func newExplain(env Environment) *cobra.Command {
	return &cobra.Command{
		Use:     "explain REVIEW",
		Short:   "Say what a review measured, who decided what, whether it counts, and what would move it on",
		Example: "  kubectl affineur explain churn-advisor-1",
		Args:    oneReview,
		RunE: func(command *cobra.Command, args []string) error {
			session, err := env.Connect()
			if err != nil {
				return err
			}
			review, err := session.review(command.Context(), args[0])
			if err != nil {
				return err
			}
			prototype := session.reviewed(command.Context(), review)
			return write(env.Out, describe.Review(review, prototype, env.Clock.Now(), env.Paint))
		},
	}
}
