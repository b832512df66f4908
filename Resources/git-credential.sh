#!/bin/sh
# Tells git who its user is, when a server asks: the router is asked at that moment, so that the answer is the owner's
# present token however long the session has run. Git runs it in the session (gitcredentials(7)):
#
#   git-credential.sh USER HOST get
#
# USER and HOST are those of one server that tokens belong to, and git's configuration names this script for that server
# alone. The question goes to the router as git wrote it, and the router's answer to git as it came.
#
#   OPENCODE_ROUTER_URL, OPENCODE_POD_SECRET, OPENCODE_SESSION_HASH   where to ask, and the proof of who asks
#   OPENCODE_GIT_TOKEN   the token of when the session began, for a router that cannot be asked
#   GITHUB_TOKEN         at github.com: if it is another one, the user has set it, and it is the answer
set -u
LC_ALL=C
export LC_ALL

user=${1:?} host=${2:?}
[ "${3:-}" = get ] || exit 0

# Nothing but visible characters: a line break would end the answer and begin another.
tell() {
    case $1 in
        '' | *[!!-~]*) ;;
        *) printf 'username=%s\npassword=%s\n' "$user" "$1" ;;
    esac
    exit 0
}

started=${OPENCODE_GIT_TOKEN:-}
if [ "$host" = github.com ] && [ -n "${GITHUB_TOKEN:-}" ] && [ "$GITHUB_TOKEN" != "$started" ]; then
    tell "$GITHUB_TOKEN"
fi
if [ -z "${OPENCODE_ROUTER_URL:-}" ] || [ -z "${OPENCODE_POD_SECRET:-}" ]; then
    tell "$started"
fi
if ! command -v curl >/dev/null 2>&1; then
    echo "git-credential: without curl the router cannot be asked; the session's first token is used" >&2
    tell "$started"
fi

# The secret is in no argument, where other processes could read it, and goes through no proxy. A router that is busy or
# starts anew (429, 503) is asked again: the session's first token may be dead by now.
answer=$(
    curl --silent --fail --max-time 10 --retry 3 --retry-max-time 15 --noproxy '*' \
        --header 'Content-Type: text/plain' --data-binary @- --config /dev/fd/3 \
        "${OPENCODE_ROUTER_URL%/}/api/sessions/${OPENCODE_SESSION_HASH:-}/git-credential" 3<<END
header = "X-Pod-Secret: $OPENCODE_POD_SECRET"
END
) || tell "$started"
printf '%s\n' "$answer"
