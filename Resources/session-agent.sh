#!/bin/sh
# Runs the agent in its pod: `opencode serve` would ignore SIGTERM as process 1, so this is process 1 instead.
set -u

# Keys that the operator keeps in the ConfigMap.
if [ -r "$HOME/.opencode/.env" ]; then
    set -a
    # shellcheck disable=SC1091
    . "$HOME/.opencode/.env"
    set +a
fi
# The deployment's models, where the user has chosen none.
if [ -n "${DEFAULT_OPENCODE_MODEL_THINKING:-}" ]; then
    export OPENCODE_MODEL_THINKING="${OPENCODE_MODEL_THINKING:-$DEFAULT_OPENCODE_MODEL_THINKING}"
fi
if [ -n "${DEFAULT_OPENCODE_MODEL_CODING:-}" ]; then
    export OPENCODE_MODEL_CODING="${OPENCODE_MODEL_CODING:-$DEFAULT_OPENCODE_MODEL_CODING}"
fi
if [ -n "${DEFAULT_OPENCODE_MODEL_RESEARCH:-}" ]; then
    export OPENCODE_MODEL_RESEARCH="${OPENCODE_MODEL_RESEARCH:-$DEFAULT_OPENCODE_MODEL_RESEARCH}"
fi
cd -- "$SESSION_DIRECTORY" || exit 1

case ${POD_IP:-} in
    *:*) address=:: ;;
    *) address=0.0.0.0 ;;
esac
opencode serve --hostname "$address" --port 4096 &
agent=$!
trap 'kill -TERM "$agent" 2>/dev/null' TERM INT
wait "$agent"
code=$?
# A signal ends the first wait, not the agent.
if kill -0 "$agent" 2>/dev/null; then
    wait "$agent"
    code=$?
fi
exit "$code"
