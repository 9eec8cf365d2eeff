#!/usr/bin/env bash
# Regenerates everything and fails when the working tree then differs from what it was: generated files are
# committed, and they are fresh.
set -euo pipefail
cd "$(dirname "$0")/.."

before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
# Of every tracked or untracked file that git does not ignore, the content.
state() { git ls-files -z --cached --others --exclude-standard | sort -zu | xargs -0 -r sha256sum 2>/dev/null || true; }

state >"$before"
make --no-print-directory generate manifests
for module in . hack/tools hack/lint hack/devcluster hack/devcluster/build/* test/prometheus; do
  (cd "$module" && go mod tidy)
done
unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
  echo "not formatted: $unformatted" >&2
  exit 1
fi
state >"$after"
if ! diff "$before" "$after"; then
  echo "verify: generated files or go.mod are not fresh; run 'make generate manifests' and 'go mod tidy', and commit" >&2
  exit 1
fi
echo "verify: everything is fresh"
