package main

import (
	"github.com/spf13/cobra"

	"github.com/affineur/affineur/internal/probe"
)

func canaryCommand() *cobra.Command {
	var ports []int
	var healthPort int
	cmd := &cobra.Command{
		Use:   "canary",
		Short: "Answers isolation probes over TCP and UDP until it is stopped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := probe.ListenCanary(cmd.Context(), "", ports, healthPort)
			if err != nil {
				return err
			}
			return c.Serve(cmd.Context())
		},
	}
	cmd.Flags().IntSliceVar(&ports, "ports", []int{8081, 8082}, "ports to answer probes on, over both TCP and UDP")
	cmd.Flags().IntVar(&healthPort, "health-port", 8080, "port of HTTP /healthz")
	return cmd
}
