#!/usr/bin/env bash
# Runs every fuzz target of the operator's and the runner's packages for FUZZTIME each, one after the other: each takes all
# processors. An input that breaks one is kept beside its package, under testdata/fuzz, and is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

FUZZTIME=${FUZZTIME:-1m}
targets=0
while IFS=: read -r file line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/' <<<"$line")
  package=./$(dirname "$file")
  printf '\n== %s %s, %s\n' "$package" "$name" "$FUZZTIME"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" "$package"
  targets=$((targets + 1))
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' internal | sort)
[ "$targets" -gt 0 ] || { echo "no fuzz target was found"; exit 1; }
printf '\n%s fuzz targets, %s each, and nothing was found\n' "$targets" "$FUZZTIME"
