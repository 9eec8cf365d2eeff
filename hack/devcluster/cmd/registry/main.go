// Registry serves the cluster's images over TLS.
package main

import (
	"crypto/tls"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/affineur/affineur/hack/devcluster/internal/registry"
)

func main() {
	address := flag.String("listen", ":5000", "address to serve on")
	dir := flag.String("dir", "/var/lib/registry", "folder of the contents")
	certificate := flag.String("tls-cert", "/tls/tls.crt", "server certificate")
	key := flag.String("tls-key", "/tls/tls.key", "key of the certificate")
	flag.Parse()

	handler, err := registry.New(*dir, registry.Credentials{
		User:     os.Getenv("PRIVATE_USER"),
		Password: os.Getenv("PRIVATE_PASSWORD"),
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:              *address,
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
	}
	log.Printf("serving %s on %s", *dir, *address)
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}
