// Package outside is a host beyond the cluster: the internet and a cloud's metadata service of the egress
// tests. A test that something is out of reach means little unless it can be reached otherwise.
package outside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// Run serves until the context ends: HTTP on port 80, an echo on TCP port 443 and UDP port 53, and HTTP on
// the metadata address.
func Run(ctx context.Context) error {
	for _, web := range []struct{ address, answer string }{
		{layout.OutsideIP + ":80", "outside\n"},
		{layout.MetadataIP + ":80", "metadata\n"},
	} {
		if err := serveHTTP(ctx, web.address, web.answer); err != nil {
			return err
		}
	}
	if err := echoTCP(ctx, layout.OutsideIP+":443"); err != nil {
		return err
	}
	if err := echoUDP(ctx, layout.OutsideIP+":53"); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func serveHTTP(ctx context.Context, address, answer string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			log.Printf("%s %s from %s", r.Method, r.URL, r.RemoteAddr)
			fmt.Fprint(w, answer)
		}),
	}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("serve %s: %v", address, err)
		}
	}()
	return nil
}

func echoTCP(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // the client left
			}()
		}
	}()
	return nil
}

func echoUDP(ctx context.Context, address string) error {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	go func() {
		packet := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return // closed
			}
			if _, err := conn.WriteTo(packet[:n], from); err != nil {
				log.Printf("answer %s: %v", from, err)
			}
		}
	}()
	return nil
}
