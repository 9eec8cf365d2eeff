package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// rooted wants what only a privileged container has: to write to the image's root and to own port 80.
func rooted() error {
	if err := takeRoot("/", ":80"); err != nil {
		return err
	}
	serve.Main("rooted", http.HandlerFunc(serve.Healthy))
	return nil
}

// takeRoot tries both and names all that failed, so that one look at the log is enough.
func takeRoot(dir, address string) error {
	return errors.Join(write(dir), bind(address))
}

func write(dir string) error {
	file, err := os.CreateTemp(dir, "holey-*.state")
	if err != nil {
		return fmt.Errorf("this prototype keeps its state in %s and may not write there: %w", dir, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

func bind(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("this prototype wants to listen on %s and may not: %w", address, err)
	}
	return listener.Close()
}
