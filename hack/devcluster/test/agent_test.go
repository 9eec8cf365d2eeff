//go:build cluster

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

// attempt bounds one try to reach something. What a policy drops gives no answer at all.
const attempt = time.Second

// outcome is what an agent tells about a try.
type outcome struct {
	OK     bool     `json:"ok"`
	Error  string   `json:"error,omitempty"`
	Found  []string `json:"found,omitempty"`
	Millis int64    `json:"millis"`
}

// runAgent is what this test program does inside a pod: it tries what it is told to, and answers others.
// Given an address it first tries that one, before anything could have become slow about it.
func runAgent(args []string) {
	first := outcome{}
	if len(args) > 0 {
		first = try(func(ctx context.Context) ([]string, error) { return nil, reach(ctx, "tcp", args[0]) })
	}
	go echo(":9090")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getenv("HOSTNAME")) })
	mux.HandleFunc("/first", func(w http.ResponseWriter, _ *http.Request) { reply(w, first) })
	mux.HandleFunc("/reach", func(w http.ResponseWriter, r *http.Request) {
		reply(w, try(func(ctx context.Context) ([]string, error) {
			return nil, reach(ctx, r.FormValue("network"), r.FormValue("address"))
		}))
	})
	mux.HandleFunc("/resolve", func(w http.ResponseWriter, r *http.Request) {
		reply(w, try(func(ctx context.Context) ([]string, error) {
			return net.DefaultResolver.LookupHost(ctx, r.FormValue("name"))
		}))
	})
	log.Printf("agent of %s serves", os.Getenv("HOSTNAME"))
	log.Fatal(http.ListenAndServe(":8080", mux))
}

func try(what func(context.Context) ([]string, error)) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), attempt)
	defer cancel()
	begin := time.Now()
	found, err := what(ctx)
	o := outcome{OK: err == nil, Found: found, Millis: time.Since(begin).Milliseconds()}
	if err != nil {
		o.Error = err.Error()
	}
	return o
}

// reach opens a connection; over UDP it waits for an echo as well.
func reach(ctx context.Context, network, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if network == "tcp" {
		return nil
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 16))
	return err
}

func echo(address string) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		log.Fatal(err)
	}
	packet := make([]byte, 64)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := conn.WriteTo(packet[:n], from); err != nil {
			log.Print(err)
		}
	}
}

func reply(w http.ResponseWriter, o outcome) {
	if err := json.NewEncoder(w).Encode(o); err != nil {
		log.Print(err)
	}
}
