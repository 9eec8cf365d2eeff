// Package forward carries connections from the machine's loopback into the cluster. It runs inside the
// cluster's network namespace on sockets that were opened outside: a socket stays in the namespace where it
// was made, and a connection is dialled from where the process is.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"time"
)

// firstDescriptor of the sockets that a parent hands over.
const firstDescriptor = 3

// dialTimeout is short: everything is on this machine.
const dialTimeout = 5 * time.Second

// Run serves the inherited sockets, in order, each towards its target, until the context ends.
func Run(ctx context.Context, targets []string) error {
	var serving sync.WaitGroup
	for i, target := range targets {
		file := os.NewFile(uintptr(firstDescriptor+i), target)
		listener, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("socket for %s: %w", target, err)
		}
		if err := file.Close(); err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { listener.Close() })
		serving.Go(func() { Serve(listener, target) })
	}
	serving.Wait()
	return nil
}

// Serve carries every connection of the listener to target until the listener is closed.
func Serve(listener net.Listener, target string) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Printf("accept for %s: %v", target, err)
			time.Sleep(100 * time.Millisecond) // out of descriptors: some will be given back
			continue
		}
		go carry(conn, target)
	}
}

func carry(near net.Conn, target string) {
	defer near.Close()
	far, err := net.DialTimeout("tcp", target, dialTimeout)
	if err != nil {
		log.Printf("dial: %v", err)
		return
	}
	defer far.Close()
	var both sync.WaitGroup
	both.Go(func() { pour(far, near) })
	both.Go(func() { pour(near, far) })
	both.Wait()
}

// pour copies until the source ends, and passes the end on: half-closed connections are common.
func pour(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		from.Close() // broken: nothing more will come either way
		to.Close()
		return
	}
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite() // already closed is as good
	}
}
