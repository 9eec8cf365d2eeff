#!/usr/bin/env bash
# Builds a gateway that pilots come through, and a sign-in that stands in front of it, and pushes both to the running
# development cluster's registry, for the end-to-end tests.
set -euo pipefail
cd "$(dirname "$0")/.."

go -C hack/devcluster run . build --only=gateway
set -a && . .cluster/env && set +a
go run ./hack/images --registry "$REGISTRY" --push-to "$REGISTRY_PUSH" --ca "$REGISTRY_CA" --only gateway,sign-in
