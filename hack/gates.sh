#!/usr/bin/env bash
# Tries the gates with the corpus of prototypes whose holes are known, on the development cluster, and passes only if every
# hole was found by its gate and nothing else was; the last line of standard output counts them. Where Affineur is not
# installed on a cluster of this clone yet, the cluster is started and it is installed first.
#
#   FAST=1            only the fast subset
#   ONLY=EXPRESSION   only the cases whose names match it
set -euo pipefail
cd "$(dirname "$0")/.."

kubectl() { .cluster/bin/kubectl --kubeconfig .cluster/kubeconfig --request-timeout=5s "$@"; }
# images NAMES [OPTION...] builds and pushes.
images() { go run ./hack/images --registry "$REGISTRY" --push-to "$REGISTRY_PUSH" --ca "$REGISTRY_CA" --only "$@"; }
# pinned NAME prints repository@digest of a pushed image.
pinned() { go run ./test/story pinned bin/gates/digests.json "$1"; }

installed() {
  [ -f .cluster/kubeconfig ] && [ -x .cluster/bin/kubectl ] &&
    [ -n "$(kubectl -n affineur-system get deployment affineur -o name --ignore-not-found 2>/dev/null)" ]
}
install() {
  go -C hack/devcluster run . up
  set -a && . .cluster/env && set +a
  images operator,gate-runner --output bin/gates/digests.json
  # A host beyond the cluster, which pods reach and no sandbox may: "outside" in docs/devcluster.md.
  make --no-print-directory build-installer IMG="$(pinned operator)" RUNNER_IMG="$(pinned gate-runner)" OPERATOR_ARGS=--isolation-beyond=198.18.0.10:80
  # What an object of the manifest needs may come later in it.
  for attempt in 1 2 3; do
    if kubectl apply --server-side --force-conflicts -f dist/install.yaml; then break; fi
    [ "$attempt" -lt 3 ]
  done
  .cluster/bin/kubectl --kubeconfig .cluster/kubeconfig -n affineur-system rollout status deployment/affineur --timeout=3m
}

mkdir -p bin/gates
installed || install
set -a && . .cluster/env && set +a
images suspect,house-style,golden,holey-remember,holey-tattle,holey-parrot,holey-disclose,holey-discreet --output bin/gates/images.json
CGO_ENABLED=0 go build -o bin/gates/corpus ./test/corpus
options=()
if [ -n "${FAST:-}" ]; then options+=(--fast); fi
if [ -n "${ONLY:-}" ]; then options+=(--only "$ONLY"); fi
KUBECONFIG=$PWD/.cluster/kubeconfig exec bin/gates/corpus "${options[@]}"
