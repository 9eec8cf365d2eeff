package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// deafAddress is where deaf listens, whatever PORT says; its manifest declares 8080.
const deafAddress = ":9999"

// deaf runs well and listens on a port that nobody was told of.
func deaf() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return serve.ListenAndServe(ctx, deafAddress, http.HandlerFunc(serve.Healthy), nil)
}
