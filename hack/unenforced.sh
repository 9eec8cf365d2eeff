#!/usr/bin/env bash
# Plays the demo on a cluster that ignores NetworkPolicy, then on one that enforces ingress and forgets about egress. It
# passes only if both stop at the isolation probe and say so: exit code not 0, and the reason in the last line with a
# path that was open.
set -euo pipefail
cd "$(dirname "$0")/.."

last=$(mktemp)
trap 'rm -f "$last"' EXIT

# stops MODE OPEN CLOSED: the last line names the first path as reached, and not the second.
stops() {
  if NETPOL=$1 ./hack/demo.sh | tee "$last"; then
    echo "unenforced: the demo passed with NETPOL=$1" >&2
    exit 1
  fi
  if ! tail -n 1 "$last" | grep '"reason":"NetworkPolicyNotEnforced"' | grep -q "$2"; then
    echo "unenforced: with NETPOL=$1 the demo stopped, but not because $2 was reached" >&2
    exit 1
  fi
  if [ -n "$3" ] && tail -n 1 "$last" | grep -q "$3"; then
    echo "unenforced: with NETPOL=$1, $3 is said to be open, and it is not" >&2
    exit 1
  fi
  echo "unenforced: with NETPOL=$1 it stopped at the isolation probe, as it must"
}

stops off '[^-]another-namespace-tcp (Egress)' ""
stops ingress '[^-]another-namespace-tcp (Egress)' from-another-namespace-tcp
