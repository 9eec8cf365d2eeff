package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	// intrudeTimeout of one try.
	intrudeTimeout = 2 * time.Second
	// intrudePatience is how long a try is repeated: some networks let a new pod through only after a moment, and
	// a break-out is given the same time.
	intrudePatience = 6 * time.Second
	// lingerPause is between two rounds of a program that does not stop.
	lingerPause = 100 * time.Millisecond
)

// intrusion is one thing that a container should not be able to do: WHAT:WHERE, such as tcp:192.0.2.10:10250.
type intrusion struct {
	what, where string
}

// intruded is what came of it, one JSON line in the log.
type intruded struct {
	Try   string    `json:"try"`
	Done  bool      `json:"done"`
	Error string    `json:"error,omitempty"`
	At    time.Time `json:"at"`
}

// means are the ways to try.
var means = map[string]func(ctx context.Context, where string) error{
	"tcp":    intrudeTCP,
	"udp":    intrudeUDP,
	"dns":    intrudeDNS,
	"lookup": intrudeLookup,
	"read":   intrudeRead,
	"write":  intrudeWrite,
	"become": intrudeBecome,
	"raw":    intrudeRaw,
	"node":   intrudeNode,
}

// intrude tries everything in TRIES, separated by spaces, and tells in its log what it could do. With LINGER it goes on
// for ever, and does not stop when it is told to.
func intrude() error {
	tries, err := parseTries(os.Getenv("TRIES"))
	if err != nil {
		return err
	}
	linger := os.Getenv("LINGER") != ""
	if linger {
		signal.Ignore(syscall.SIGTERM)
	}
	patience := intrudePatience
	if linger {
		patience = 0
	}
	go func() {
		tryAll(tries, patience, os.Stdout)
		for linger {
			time.Sleep(lingerPause)
			tryAll(tries, patience, os.Stdout)
		}
	}()
	if linger {
		return http.ListenAndServe(":8080", http.HandlerFunc(serve.Healthy)) //nolint:gosec // it is to be killed
	}
	serve.Main("intrude", http.HandlerFunc(serve.Healthy))
	return nil
}

func parseTries(order string) ([]intrusion, error) {
	var tries []intrusion
	for _, field := range strings.Fields(order) {
		what, where, found := strings.Cut(field, ":")
		if !found || means[what] == nil {
			return nil, fmt.Errorf("TRIES holds %q, want WHAT:WHERE", field)
		}
		tries = append(tries, intrusion{what, where})
	}
	return tries, nil
}

func tryAll(tries []intrusion, patience time.Duration, out io.Writer) {
	lines := make(chan intruded)
	var group sync.WaitGroup
	for _, try := range tries {
		group.Go(func() { lines <- try.made(patience) })
	}
	go func() {
		group.Wait()
		close(lines)
	}()
	encoder := json.NewEncoder(out)
	for line := range lines {
		_ = encoder.Encode(line)
	}
}

// made tries again and again until it works or patience is over.
func (i intrusion) made(patience time.Duration) intruded {
	until := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), intrudeTimeout)
		err := means[i.what](ctx, i.where)
		cancel()
		if err == nil {
			return intruded{Try: i.what + ":" + i.where, Done: true, At: time.Now().UTC()}
		}
		if !time.Now().Before(until) {
			return intruded{Try: i.what + ":" + i.where, Error: err.Error(), At: time.Now().UTC()}
		}
		time.Sleep(lingerPause)
	}
}

func intrudeTCP(ctx context.Context, where string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", where)
	if err != nil {
		return err
	}
	return connection.Close()
}

// intrudeUDP wants an answer, since a datagram that is sent says nothing about whether it arrived.
func intrudeUDP(ctx context.Context, where string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "udp", where)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	deadline, _ := ctx.Deadline()
	if err := connection.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := connection.Write([]byte("is anybody there?")); err != nil {
		return err
	}
	_, err = connection.Read(make([]byte, 512))
	return err
}

// intrudeDNS asks one server, SERVER@NAME, instead of the pod's own resolver. Any answer is one: also that there is no
// such name carries a message out.
func intrudeDNS(ctx context.Context, where string) error {
	server, name, found := strings.Cut(where, "@")
	if !found {
		return errors.New("want dns:SERVER:PORT@NAME")
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
	return answered(resolver.LookupHost(ctx, name))
}

func intrudeLookup(ctx context.Context, name string) error {
	return answered((&net.Resolver{PreferGo: true}).LookupHost(ctx, name))
}

func answered(_ []string, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil
	}
	return err
}

func intrudeRead(_ context.Context, path string) error {
	content, err := os.ReadFile(path) //nolint:gosec // reading what it should not is what it is for
	if err == nil && len(content) == 0 {
		return errors.New("it is empty")
	}
	return err
}

func intrudeWrite(_ context.Context, dir string) error { return write(dir) }

func intrudeBecome(_ context.Context, who string) error {
	if who != "root" {
		return fmt.Errorf("nobody is called %s here", who)
	}
	return syscall.Setuid(0)
}

func intrudeRaw(context.Context, string) error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	return syscall.Close(socket)
}

// intrudeNode makes a device file, through which a disk of the node could be read.
func intrudeNode(_ context.Context, dir string) error {
	path := filepath.Join(dir, "device")
	if err := syscall.Mknod(path, syscall.S_IFBLK|0o600, 0x0800); err != nil {
		return err
	}
	return os.Remove(path)
}
