package netpol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
)

// serve answers the network plugin until the context ends.
func (e *Engine) serve(ctx context.Context, socket string) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	// The name stays when the engine ends: a plugin that finds it unanswered knows that something is wrong.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go e.handle(ctx, conn)
		}
	}()
	return nil
}

func (e *Engine) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	var c claim.Claim
	if err := json.NewDecoder(conn).Decode(&c); err != nil {
		return // a probe of the socket, or a plugin that was killed
	}
	answer := claim.Answer{Mode: string(e.mode)}
	if err := e.accept(ctx, c); err != nil {
		answer.Error = err.Error()
	}
	if err := json.NewEncoder(conn).Encode(answer); err != nil {
		log.Printf("answer claim of %s: %v", c.PodUID, err)
	}
}

// accept returns once the claiming pod's policies are in force.
func (e *Engine) accept(ctx context.Context, c claim.Claim) error {
	if c.Release {
		e.claims.record(c)
		e.poke()
		return nil
	}
	if err := e.awaitPod(ctx, types.UID(c.PodUID)); err != nil {
		return err
	}
	e.claims.record(c)
	return e.sync(ctx)
}

// awaitPod gives the watch time to see a pod that the kubelet saw first.
func (e *Engine) awaitPod(ctx context.Context, uid types.UID) error {
	ctx, cancel := context.WithTimeout(ctx, claim.Timeout/2)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		known, err := e.knows(uid)
		if err != nil || known {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("pod %s is unknown", uid)
		case <-tick.C:
		}
	}
}
