// Command model-gateway is a small OpenAI-compatible model gateway for the demo and the tests: it
// checks the keys that the operator issues, counts each client's tokens per day and answers from a
// small text model of its own.
package main

import (
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
	"github.com/affineur/affineur/test/prototypes/model-gateway/gateway"
	"github.com/affineur/affineur/test/prototypes/model-gateway/textmodel"
)

func main() {
	model := textmodel.New(
		serve.EnvOr("GATEWAY_MODEL_NAME", "example-large"),
		serve.EnvOr("GATEWAY_MODEL_VERSION", "4.7"),
	)
	keyFile := serve.EnvOr("GATEWAY_SIGNING_KEY_FILE", "/var/run/gateway/signing-key")
	serve.Main("model-gateway", gateway.New(model, keyFile, time.Now))
}
