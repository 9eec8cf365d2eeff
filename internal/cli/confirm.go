package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func addYes(command *cobra.Command, yes *bool) {
	command.Flags().BoolVarP(yes, "yes", "y", false, "don't ask")
}

// confirm returns nil only for a clear yes: silence, a closed input and Ctrl-C are no.
func confirm(ctx context.Context, env Environment, question string, yes bool) error {
	if yes {
		return nil
	}
	if _, err := fmt.Fprintf(env.ErrOut, "%s [y/N] ", question); err != nil {
		return err
	}
	// A terminal's read can't be interrupted, so it is waited for beside ctx.
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(env.In).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return errors.New("interrupted; nothing was done")
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("not confirmed, so nothing was done; answer y, or say --yes")
	}
}
