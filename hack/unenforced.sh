#!/usr/bin/env bash
# Plays the demo on a cluster that ignores NetworkPolicy, and passes only if it stops at the isolation probe and says
# so: exit code not 0, and the reason in the last line.
set -euo pipefail
cd "$(dirname "$0")/.."

last=$(mktemp)
trap 'rm -f "$last"' EXIT
if NETPOL=off ./hack/demo.sh | tee "$last"; then
  echo "unenforced: the demo passed on a cluster that ignores NetworkPolicy" >&2
  exit 1
fi
if ! tail -n 1 "$last" | grep -q '"reason":"NetworkPolicyNotEnforced"'; then
  echo "unenforced: the demo stopped, but not for NetworkPolicyNotEnforced" >&2
  exit 1
fi
echo "unenforced: it stopped at the isolation probe, as it must"
