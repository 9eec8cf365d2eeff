#!/usr/bin/env bash
# Takes Affineur off the cluster of the current kubeconfig context, in an order that can't deadlock: while the
# operator still works, prototypes go, production first, for only the operator lets go of them; then the operator;
# then the guards, which would keep everything else; then the namespaces that the operator made; then kinds, rights
# and the installation's own namespaces. It may be run again after an interruption.
#
#   FORCE=1          also take down what serves in production, and go on where the operator does not work any more
#   RECORDS=FILE     where the record of what happened is written before it goes; by default
#                    bin/undeploy/records-TIME.json
#   TIMEOUT=300s     how long to wait for each step
#   KUBECTL=kubectl  the program to use
set -euo pipefail
cd "$(dirname "$0")/.."

FORCE=${FORCE:-}
TIMEOUT=${TIMEOUT:-300s}
RECORDS=${RECORDS:-bin/undeploy/records-$(date -u +%Y%m%dT%H%M%SZ).json}
KUBECTL=${KUBECTL:-$(command -v kubectl || echo "$PWD/.cluster/bin/kubectl")}
ours=app.kubernetes.io/part-of=affineur
managed=app.kubernetes.io/managed-by=affineur

k() { "$KUBECTL" "$@"; }
say() { printf '== %s\n' "$*"; }
refuse() {
  printf '%s\n' "$*" >&2
  exit 1
}
# prototypes prints NAMESPACE NAME of every prototype, and PRODUCTION where it serves.
prototypes() {
  k get aiprototypes.affineur.dev -A \
    -o jsonpath='{range .items[*]}{.metadata.namespace}{" "}{.metadata.name}{" "}{.status.production.namespace}{"\n"}{end}'
}
# production prints the namespaces in which something serves, also those whose prototype is gone.
production() { k get namespaces -l "$managed,affineur.dev/purpose=production" -o name; }
served() { k get crd aiprototypes.affineur.dev -o name >/dev/null 2>&1; }
works() { k -n affineur-system rollout status deployment/affineur --timeout=5s >/dev/null 2>&1; }

say "take Affineur off context $(k config current-context)"
if [ -z "$FORCE" ] && [ -n "$(production)" ]; then
  refuse "This serves in production: $(production | tr '\n' ' '). Retire it first, or say FORCE=1 to take it down."
fi

if served && [ -n "$(prototypes)" ]; then
  if works; then
    say "prototypes: out of production, then gone with their sandboxes"
    prototypes | while read -r namespace name production; do
      [ -z "$production" ] || k -n "$namespace" patch aiprototype "$name" --type=merge -p '{"spec":{"target":"Retired"}}'
    done
    prototypes | while read -r namespace name production; do
      [ -z "$production" ] || k -n "$namespace" wait aiprototype "$name" --timeout="$TIMEOUT" \
        --for=jsonpath='{.status.conditions[?(@.type=="Ready")].reason}'=Retired
      k -n "$namespace" delete aiprototype "$name" --wait=false
    done
    prototypes | while read -r namespace name _; do
      k -n "$namespace" wait aiprototype "$name" --for=delete --timeout="$TIMEOUT"
    done
  elif [ -z "$FORCE" ]; then
    refuse "The operator does not work, and nobody else takes prototypes down. Mend it, or say FORCE=1 to do without it."
  fi
fi

say "the operator"
k -n affineur-system delete deployment affineur --ignore-not-found --timeout="$TIMEOUT"
k -n affineur-system wait pod -l app.kubernetes.io/component=operator --for=delete --timeout="$TIMEOUT"

say "the guards"
for kind in validatingadmissionpolicybindings mutatingadmissionpolicybindings validatingadmissionpolicies mutatingadmissionpolicies; do
  k delete "$kind" -l "$ours" --timeout="$TIMEOUT"
done
# The API server forgets them a moment after they are gone: it does when it lets a managed label through again.
until k create namespace affx-undeploy --dry-run=server -o name >/dev/null 2>&1; do sleep 0.2; done

if served; then
  say "prototypes that the operator did not take down"
  prototypes | while read -r namespace name _; do
    k -n "$namespace" delete aiprototype "$name" --wait=false
    k -n "$namespace" patch aiprototype "$name" --type=merge -p '{"metadata":{"finalizers":null}}'
  done
fi

# Pods first, so that none outlives the network policies of its namespace.
say "namespaces that the operator made"
for namespace in $(k get namespaces -l "$managed" -o name | grep -E '^namespace/aff[xpr]-' || true); do
  k -n "${namespace#namespace/}" delete deployments,jobs --all --timeout="$TIMEOUT"
  k -n "${namespace#namespace/}" wait pod --all --for=delete --timeout="$TIMEOUT"
  k delete "$namespace" --timeout="$TIMEOUT"
done

if k get namespace affineur-records -o name >/dev/null 2>&1; then
  mkdir -p "$(dirname "$RECORDS")"
  k -n affineur-records get configmaps,controllerrevisions -o json >"$RECORDS"
  say "the record of what happened is in $RECORDS"
fi

say "kinds, rights and namespaces"
k delete crd aiprototypes.affineur.dev hardeningreviews.affineur.dev hardeningdecisions.affineur.dev hardeningpolicies.affineur.dev \
  emergencystops.affineur.dev \
  --ignore-not-found --timeout="$TIMEOUT"
k delete clusterrolebindings,clusterroles -l "$ours"
k delete namespace affineur-gates affineur-records affineur-system --ignore-not-found --timeout="$TIMEOUT"
say "Affineur is gone. Namespaces of teams, the bindings of reviewers and the credentials in other places are as they were"
