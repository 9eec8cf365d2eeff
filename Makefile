# What a person or a pipeline runs. Everything is pinned; nothing is downloaded but Go modules and, for the
# development cluster, Debian packages.
SHELL := /usr/bin/env bash -o pipefail
.DEFAULT_GOAL := help

# The development cluster enforces NetworkPolicy: on, off, or ingress (an engine that forgets about egress).
NETPOL ?= on
# Its addresses: single (IPv4), dual (and IPv6); without a value those of the cluster that is up, or single.
FAMILY ?=
# The cluster that the demo plays on: dev (the development cluster), or current (kubeconfig's current context).
CLUSTER ?= dev
# For CLUSTER=current: the registry as image references name it, and where to push if that is another address.
REGISTRY ?=
REGISTRY_PUSH ?= $(REGISTRY)
REGISTRY_CA ?=
REGISTRY_PLAIN_HTTP ?=
# The images that dist/install.yaml names.
IMG ?= ghcr.io/affineur/operator:v0.1.0
RUNNER_IMG ?= ghcr.io/affineur/gate-runner:v0.1.0

# How long each fuzz target runs.
FUZZTIME ?= 1m

export CGO_ENABLED = 0
TOOL := go tool -modfile=$(CURDIR)/hack/tools/go.mod
LINT := go tool -modfile=$(CURDIR)/hack/lint/go.mod golangci-lint-kube-api-linter
DEVCLUSTER := go -C hack/devcluster run .
ASSETS := $(CURDIR)/.cluster/bin

##@ Build

.PHONY: generate
generate: ## Write deep copies, apply configurations and the prototypes' model.
	rm -rf api/v1alpha1/applyconfiguration
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...
	go generate ./...

.PHONY: manifests
manifests: ## Write the CRDs, the API reference and the guards that the operator compares with.
	$(TOOL) controller-gen crd:maxDescLen=200 paths=./api/... output:crd:dir=config/crd
	go run ./hack/apidoc > docs/api.md
	$(MAKE) --no-print-directory guards

.PHONY: guards
guards: ## Write the admission policies into the operator, which measures that the cluster still has them.
	$(TOOL) kustomize build config/admission > internal/guard/shipped/admission.yaml

.PHONY: build
build: ## Build the operator, the runner and the kubectl plugin into bin/.
	go build -o bin/ ./cmd/...

.PHONY: build-installer
build-installer: ## Render dist/install.yaml with IMG and RUNNER_IMG, and OPERATOR_ARGS beside the usual ones.
	@mkdir -p dist bin/installer
	@cp -r config bin/installer/ && cd bin/installer/config/default && \
	  $(TOOL) kustomize edit set image affineur/operator=$(IMG) affineur/gate-runner=$(RUNNER_IMG) && \
	  $(foreach argument,$(OPERATOR_ARGS),$(TOOL) kustomize edit add patch --kind Deployment --name affineur \
	    --patch '[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "$(argument)"}]' &&) \
	  $(TOOL) kustomize build . > $(CURDIR)/dist/install.yaml
	@rm -rf bin/installer
	@echo "dist/install.yaml: $(IMG), $(RUNNER_IMG)"

##@ Check

.PHONY: verify
verify: ## Regenerate everything and fail on a difference; check modules and formatting.
	./hack/verify.sh

.PHONY: lint
lint: ## Lint the code and, in api/, the API.
	$(LINT) run --allow-parallel-runners ./...
	cd hack/devcluster && go vet ./...

.PHONY: envtest
envtest: ## Build what the API-server tests need (etcd, kube-apiserver, kubectl).
	$(DEVCLUSTER) build --only=envtest

.PHONY: test
test: envtest ## Run unit tests and tests against a real API server.
	KUBEBUILDER_ASSETS=$(ASSETS) go test ./...
	cd hack/devcluster && go test ./...
	cd test/prometheus && go test ./...

.PHONY: test-attacks
test-attacks: ## Make every attack of the threat model on sandboxes, on the development cluster; the last line counts them.
	@./hack/attacks.sh

.PHONY: test-gates
test-gates: ## Try the gates with prototypes whose holes are known; the last line counts what was judged wrongly (FAST=1: a subset).
	@./hack/gates.sh

.PHONY: test-fuzz
test-fuzz: ## Fuzz everything that reads untrusted bytes, FUZZTIME each.
	@FUZZTIME=$(FUZZTIME) ./hack/fuzz.sh

.PHONY: test-e2e
test-e2e: ## Play the story, the attacks, the fast part of the corpus and the end-to-end tests on the development cluster.
	./hack/demo.sh
	./hack/attacks.sh
	FAST=1 ./hack/gates.sh
	./hack/gateway.sh
	KUBECONFIG=$(CURDIR)/.cluster/kubeconfig go test -tags e2e -count=1 -p 1 -parallel 4 -timeout 40m ./test/e2e/...
	./hack/unenforced.sh

##@ Try

.PHONY: demo
demo: ## From manifest to production on a real cluster; last line is the result as JSON.
	@CLUSTER=$(CLUSTER) NETPOL=$(NETPOL) FAMILY=$(FAMILY) REGISTRY=$(REGISTRY) REGISTRY_PUSH=$(REGISTRY_PUSH) REGISTRY_CA=$(REGISTRY_CA) REGISTRY_PLAIN_HTTP=$(REGISTRY_PLAIN_HTTP) ./hack/demo.sh

.PHONY: cluster-up
cluster-up: ## Start the development cluster (NETPOL=on|off|ingress, FAMILY=single|dual); leaves .cluster/kubeconfig.
	$(DEVCLUSTER) up --netpol=$(NETPOL) --family=$(FAMILY)

.PHONY: cluster-down
cluster-down: ## Stop the development cluster and leave nothing behind but its built programs.
	$(DEVCLUSTER) down

##@ Install

.PHONY: deploy
deploy: build-installer ## Install dist/install.yaml into the current kubeconfig context.
	kubectl apply --server-side -f dist/install.yaml

.PHONY: undeploy
undeploy: ## Take Affineur off the current kubeconfig context, in an order that can't deadlock.
	./hack/undeploy.sh

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
