#!/usr/bin/env bash
# Runs every fuzz target of the operator's and the runner's packages for FUZZTIME each, as many at a time as there are
# processors. An input that breaks one is kept beside its package, under testdata/fuzz, and is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

export FUZZTIME=${FUZZTIME:-1m}
# one DIRECTORY TARGET fuzzes, and tells only how it ended, or all where it did not end well.
one() {
  local said
  # Where the time is over in the middle of an input, go test says "context deadline exceeded" and nothing else: no input broke it.
  if said=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10s -parallel 1 "./$1" 2>&1) ||
    { grep -q '^    context deadline exceeded$' <<<"$said" && ! grep -qE 'Failing input|panic|hung or terminated' <<<"$said"; }; then
    printf '%-32s %-24s %s\n' "$1" "$2" "$(grep -E '^fuzz: elapsed' <<<"$said" | tail -n 1)"
  else
    printf '%s %s:\n%s\n' "$1" "$2" "$said"
    return 1
  fi
}
export -f one

targets=$(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' internal | sed -E 's#/[^/:]*:func (Fuzz[A-Za-z0-9_]*)\(.*# \1#' | sort)
[ -n "$targets" ] || { echo "no fuzz target was found"; exit 1; }
# shellcheck disable=SC2016 # the inner shell expands its own arguments.
xargs -P "$(nproc)" -L 1 bash -c 'one "$0" "$1" || exit 1' <<<"$targets" || { echo "not every fuzz target ended well"; exit 1; }
printf '%s fuzz targets, %s each, and nothing was found\n' "$(wc -l <<<"$targets")" "$FUZZTIME"
