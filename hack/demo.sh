#!/usr/bin/env bash
# The whole way of a prototype on a real cluster: cluster, images, installation, and the story that plays on it. The
# last line of standard output is the result as one JSON object, everything before it progress; the exit code is 0
# only if everything happened, the refusals included.
#
#   CLUSTER=dev      (default) the development cluster of hack/devcluster, started if need be; NETPOL=on|off|ingress,
#                    FAMILY=single|dual
#   CLUSTER=current  the current kubeconfig context; needs REGISTRY=HOST[:PORT][/PATH], which its nodes pull from.
#                    REGISTRY_PUSH=HOST:PORT where this machine reaches it elsewhere, REGISTRY_CA=FILE where its
#                    certificate is signed privately, REGISTRY_PLAIN_HTTP=1 where it speaks no TLS.
set -euo pipefail
cd "$(dirname "$0")/.."

CLUSTER=${CLUSTER:-dev}
NETPOL=${NETPOL:-on}
REGISTRY=${REGISTRY:-} REGISTRY_PUSH=${REGISTRY_PUSH:-} REGISTRY_CA=${REGISTRY_CA:-} REGISTRY_PLAIN_HTTP=${REGISTRY_PLAIN_HTTP:-}

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
# stop ends early, with a last line for whoever reads only that.
stop() {
  printf '{"result":"failed","message":"%s"}\n' "$1"
  exit 1
}
on_error() { stop "hack/demo.sh stopped at: $doing"; }
trap on_error ERR
doing="the beginning"

story=()
case "$CLUSTER" in
dev)
  doing="the development cluster" && say "$doing, NetworkPolicy $NETPOL"
  began=$SECONDS
  go -C hack/devcluster run . up --netpol="$NETPOL" --family="${FAMILY:-}"
  story+=(--cluster-seconds "$((SECONDS - began))")
  set -a && . .cluster/env && set +a
  # A host beyond the cluster, which pods reach and no sandbox may: "outside" in docs/devcluster.md.
  OPERATOR_ARGS="--isolation-beyond=198.18.0.10:80"
  ;;
current)
  [ -n "$REGISTRY" ] || stop "CLUSTER=current needs REGISTRY=HOST[:PORT][/PATH], a registry that the cluster's nodes pull from"
  say "playing on the current kubeconfig context, ${KUBECONFIG:-$HOME/.kube/config}; images go to $REGISTRY"
  story+=(--shared)
  ;;
*) stop "CLUSTER is dev or current, not $CLUSTER" ;;
esac

push=(--registry "$REGISTRY")
if [ -n "$REGISTRY_PUSH" ]; then push+=(--push-to "$REGISTRY_PUSH"); fi
if [ -n "$REGISTRY_CA" ]; then push+=(--ca "$REGISTRY_CA"); fi
story+=("${push[@]}")
if [ -n "$REGISTRY_PLAIN_HTTP" ]; then
  push+=(--insecure)
  story+=(--plain-http)
fi

doing="building and pushing the images" && say "$doing"
mkdir -p bin/demo
go run ./hack/images "${push[@]}" --output bin/demo/digests.json

doing="building kubectl-affineur and the story" && say "$doing"
CGO_ENABLED=0 go build -o bin/ ./cmd/kubectl-affineur
CGO_ENABLED=0 go build -o bin/demo/story ./test/story

doing="rendering dist/install.yaml" && say "$doing"
# pinned NAME prints repository@digest of a pushed image.
pinned() { bin/demo/story pinned bin/demo/digests.json "$1"; }
make --no-print-directory build-installer IMG="$(pinned operator)" RUNNER_IMG="$(pinned gate-runner)" OPERATOR_ARGS="${OPERATOR_ARGS:-}"

if [ "$CLUSTER" = dev ]; then
  story+=(--afterwards "To look around:
  export KUBECONFIG=$KUBECONFIG PATH=$PWD/.cluster/bin:$PWD/bin:\$PATH
  kubectl affineur status -A
The people's own kubeconfigs are in $PWD/bin/demo/people. The cluster stays up; make cluster-down takes it down.")
fi

doing="the story" && say "$doing"
trap - ERR
exec bin/demo/story "${story[@]}"
