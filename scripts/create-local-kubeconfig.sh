#!/bin/bash
# Writes a kubeconfig with which a router on this machine can serve sessions of a cluster: the token of the router's own
# service account, so that it may do what it may do there, and nothing that you may.
#
#   scripts/create-local-kubeconfig.sh [--namespace NAME] [--account NAME] [--hours N] [--context NAME] FILE
#
# then: KUBECONFIG=FILE SESSION_RUNTIME=kubernetes ... opencode-router serve
set -euo pipefail

namespace=opencode account=opencode-router hours=12 context="" file=""
while [ $# -gt 0 ]; do
    case "$1" in
        --namespace) namespace=$2; shift ;;
        --account) account=$2; shift ;;
        --hours) hours=$2; shift ;;
        --context) context=$2; shift ;;
        -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
        *) file=$1 ;;
    esac
    shift
done
if [ -z "$file" ]; then
    echo "which file? $0 [--namespace NAME] [--account NAME] [--hours N] [--context NAME] FILE" >&2
    exit 2
fi

ask() { kubectl ${context:+--context "$context"} "$@"; }

server=$(ask config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
authority=$(ask config view --minify --raw --flatten --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
token=$(ask --namespace "$namespace" create token "$account" --duration "${hours}h")

# Nobody else may read it, not even for a moment.
umask 077
rm -f "$file"
cat > "$file" <<END
apiVersion: v1
kind: Config
current-context: opencode-router
clusters:
  - name: cluster
    cluster:
      server: $server
      certificate-authority-data: $authority
users:
  - name: $account
    user:
      token: $token
contexts:
  - name: opencode-router
    context:
      cluster: cluster
      user: $account
      namespace: $namespace
END
echo "$file is good for $hours hours, for $account in $namespace" >&2
