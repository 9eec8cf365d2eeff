package cluster

import (
	"context"
	"fmt"
	"time"
)

const (
	poll = 50 * time.Millisecond
	// waitTimeout bounds each step of a start. A loaded machine is slow; a broken one must say so.
	waitTimeout = 3 * time.Minute
	// waitReport is when a step that takes long says that it is still at it.
	waitReport = 5 * time.Second
)

// await polls until ready returns nil, and says now and then what it waits for.
func (c Cluster) await(ctx context.Context, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	begin, reported := time.Now(), time.Now()
	for {
		err := ready(ctx)
		if err == nil {
			fmt.Fprintf(c.Out, "%s: ready after %s\n", what, time.Since(begin).Round(100*time.Millisecond))
			return nil
		}
		if time.Since(reported) > waitReport {
			reported = time.Now()
			fmt.Fprintf(c.Out, "%s: waiting for %s: %v\n", what, time.Since(begin).Round(time.Second), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, ctx.Err(), err)
		case <-time.After(poll):
		}
	}
}
