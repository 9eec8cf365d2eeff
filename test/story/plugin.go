package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// kubectlAffineur runs the plugin as a person would, shows what it prints and returns it.
func (s *stage) kubectlAffineur(ctx context.Context, who *actor, args ...string) (string, error) {
	s.out.say("%s: kubectl affineur %s", who, quoted(args))
	printed, err := s.runPlugin(ctx, who, args...)
	s.out.quote(printed)
	return printed, err
}

// runPlugin runs it without showing anything.
func (s *stage) runPlugin(ctx context.Context, who *actor, args ...string) (string, error) {
	command := exec.CommandContext(ctx, s.plugin, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+who.kubeconfig, "NO_COLOR=1")
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	if err := command.Run(); err != nil {
		return printed.String(), fmt.Errorf("kubectl affineur %s: %w: %s", quoted(args), err, strings.TrimSpace(printed.String()))
	}
	return printed.String(), nil
}

func quoted(args []string) string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if strings.ContainsAny(arg, " '\"") {
			out[i] = fmt.Sprintf("%q", arg)
		}
	}
	return strings.Join(out, " ")
}
