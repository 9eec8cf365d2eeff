#!/usr/bin/env bash
# Plays the demo on a cluster of two address families that ignores NetworkPolicy, then on one that enforces ingress and
# forgets about egress. It passes only if both stop at the isolation probe and say so: exit code not 0, and the reason in
# the last line with a path that was open, over IPv4 and IPv6. Then the same cluster begins to enforce, and everything has
# to be shown closed.
set -euo pipefail
cd "$(dirname "$0")/.."

last=$(mktemp)
trap 'rm -f "$last"' EXIT

# stops MODE OPEN...: the last line names all of these paths as reached.
stops() {
  if NETPOL=$1 FAMILY=dual ./hack/demo.sh | tee "$last"; then
    echo "unenforced: the demo passed with NETPOL=$1" >&2
    exit 1
  fi
  for open in "${@:2}"; do
    if ! tail -n 1 "$last" | grep '"reason":"NetworkPolicyNotEnforced"' | grep -Eq "(^|[^-])$open"; then
      echo "unenforced: with NETPOL=$1 the demo stopped, but not because $open was reached" >&2
      exit 1
    fi
  done
  echo "unenforced: with NETPOL=$1 it stopped at the isolation probe, as it must"
}

# closed PATH...: the last line names none of them.
closed() {
  for path in "$@"; do
    if tail -n 1 "$last" | grep -q "$path"; then
      echo "unenforced: $path is said to be open, and it is not" >&2
      exit 1
    fi
  done
}

# The cluster of the other tests has one family.
go -C hack/devcluster run . down
stops off 'another-namespace-tcp \(Egress\)' 'another-namespace-tcp-second-family \(Egress\)' \
  'from-another-namespace-tcp \(Ingress\)' 'from-another-namespace-tcp-second-family \(Ingress\)'
stops ingress 'another-namespace-tcp \(Egress\)' 'another-namespace-tcp-second-family \(Egress\)'
closed from-another-namespace-tcp

# What was open is shown to be closed once the engine enforces. It would be looked at again by itself, some minutes later.
go -C hack/devcluster run . up --netpol=on
kubectl() { .cluster/bin/kubectl --kubeconfig .cluster/kubeconfig -n membership "$@"; }
kubectl annotate aiprototype churn-advisor affineur.dev/requestedAt="$(date -u +%FT%TZ)" --overwrite
kubectl wait aiprototype churn-advisor --for=condition=NetworkIsolated --timeout=4m
found=$(kubectl get aiprototype churn-advisor \
  -o jsonpath='{range .status.sandbox.isolation.paths[*]}{.name}={.found}{"\n"}{end}' | grep second-family)
if [ "$(grep -c =Blocked <<<"$found")" != 4 ] || grep -qv =Blocked <<<"$found"; then
  echo "unenforced: with NETPOL=on the second family is not shown to be closed: $found" >&2
  exit 1
fi
echo "unenforced: with NETPOL=on both families are shown to be closed"
