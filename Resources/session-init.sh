#!/bin/sh
# Prepares a session's repository before its agent starts; runs in the pod's init container.
#
# Everything comes by environment, nothing is ever pasted into this text:
#   SESSION_HOME           the session's disk, which becomes HOME
#   SESSION_DIRECTORY      the repository's folder, on that disk
#   SESSION_REPOSITORY     its address; empty or unset: a blank project
#   SESSION_BRANCH         the session's branch
#   SESSION_SOURCE_BRANCH  where that branch begins if the remote does not have it
#   SESSION_USER_EMAIL     the author of commits
#   GIT_ALLOW_PROTOCOL     the protocols git may use, separated by colons
#   SESSION_CREDENTIAL_HELPER  the text of git-credential.sh, by which git gets the owner's token
#   SESSION_TOKEN_HOSTS    the servers that it belongs to, as user@host, separated by spaces
#   OPENCODE_*             what that script needs
#
# Exit codes: 10 clone failed, 11 branch missing, 12 wrong input, 13 the folder cannot be used.
set -eu

say() { printf 'session-init: %s\n' "$*"; }
fail() {
    code=$1
    shift
    printf 'session-init: %s\n' "$*" >&2
    exit "$code"
}

: "${SESSION_HOME:?}" "${SESSION_DIRECTORY:?}" "${SESSION_BRANCH:?}" "${GIT_ALLOW_PROTOCOL:?}"
repository=${SESSION_REPOSITORY:-}
branch=$SESSION_BRANCH
source=${SESSION_SOURCE_BRANCH:-$branch}
email=${SESSION_USER_EMAIL:-opencode@localhost}

HOME=$SESSION_HOME
GIT_TERMINAL_PROMPT=0
LC_ALL=C
# The disk's folders may belong to root with our group; it is our own disk all the same.
GIT_CONFIG_COUNT=2
GIT_CONFIG_KEY_0=safe.directory
GIT_CONFIG_VALUE_0='*'
GIT_CONFIG_KEY_1=init.defaultBranch
GIT_CONFIG_VALUE_1=main
export HOME GIT_TERMINAL_PROMPT LC_ALL GIT_ALLOW_PROTOCOL GIT_CONFIG_COUNT
export GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1
umask 0002

for name in "$branch" "$source"; do
    case $name in
        -*) fail 12 "a branch must not begin with a hyphen" ;;
    esac
    git check-ref-format "refs/heads/$name" || fail 12 "not the name of a branch: $name"
done
case $repository in
    -*) fail 12 "a repository must not begin with a hyphen" ;;
esac

# Who commits: written once, so that what a user changes stays.
configure() {
    git config --global --get "$1" >/dev/null 2>&1 || git config --global "$1" "$2"
}
configure user.email "$email"
configure user.name "${email%%@*}"

# How the servers that tokens belong to learn who we are. The script is on the disk, a token never is.
if [ -n "${SESSION_CREDENTIAL_HELPER:-}" ]; then
    helper=.local/share/opencode-router/git-credential.sh
    mkdir -p "$HOME/${helper%/*}"
    printf '%s' "$SESSION_CREDENTIAL_HELPER" >"$HOME/$helper.new"
    mv -- "$HOME/$helper.new" "$HOME/$helper"
    for entry in ${SESSION_TOKEN_HOSTS:-}; do
        key=credential.https://${entry#*@}.helper
        case $(git config --global --get-all "$key" || true) in
            '' | *"/$helper"* | *GITHUB_TOKEN*)
                # Nothing yet, or what this script wrote, now or in its earlier form. The empty one keeps helpers for all
                # servers out, of which some would write a token down that is no good tomorrow.
                git config --global --unset-all "$key" || true
                git config --global --add "$key" ''
                git config --global --add "$key" "!sh \"\$HOME/$helper\" ${entry%@*} ${entry#*@}"
                ;;
        esac
    done
    # The original router wrote the token down; it has expired, and is nothing to leave lying about.
    if [ -f "$HOME/.git-credentials" ]; then
        sed -i '\|^https://oauth2:[^@]*@github\.com$|d' "$HOME/.git-credentials"
    fi
fi

in_work() { git -C "$work" "$@"; }
has() { in_work rev-parse --verify --quiet "$1^{commit}" >/dev/null; }

# Brings the work folder onto the session's branch, wherever that is found first.
switch_branch() {
    if has "refs/heads/$branch"; then
        in_work checkout --quiet "$branch" --
    elif has "refs/remotes/origin/$branch"; then
        in_work checkout --quiet -b "$branch" --track "refs/remotes/origin/$branch" --
    elif has "refs/remotes/origin/$source"; then
        in_work checkout --quiet --no-track -b "$branch" "refs/remotes/origin/$source" --
    elif [ -z "$(in_work for-each-ref --count=1 refs/heads refs/remotes)" ]; then
        # An empty repository: the branch begins with its first commit.
        in_work symbolic-ref HEAD "refs/heads/$branch"
    else
        return 1
    fi
}

if [ -e "$SESSION_DIRECTORY/.git" ]; then
    work=$SESSION_DIRECTORY
    if [ -n "$(in_work status --porcelain | head -c 1)" ]; then
        say "the folder has changes that are not committed; it is left as it is"
        exit 0
    fi
    if [ -n "$repository" ]; then
        in_work fetch --quiet --prune origin || say "the remote cannot be asked for news now"
    fi
    if [ "$(in_work symbolic-ref --quiet HEAD || true)" != "refs/heads/$branch" ]; then
        switch_branch || fail 11 "neither the branch nor its source is there: $branch, $source"
    fi
    say "the repository is ready"
    exit 0
fi

if [ -e "$SESSION_DIRECTORY" ]; then
    rmdir -- "$SESSION_DIRECTORY" 2>/dev/null \
        || fail 13 "there is a folder with files but without a repository: $SESSION_DIRECTORY"
fi
# Beside its place first: what is in place is complete, however often the container is killed.
work=$SESSION_HOME/.session-init
rm -rf -- "$work"
if [ -z "$repository" ]; then
    git init --quiet -- "$work"
    in_work symbolic-ref HEAD "refs/heads/$branch"
    in_work commit --quiet --allow-empty -m "Begin"
else
    say "cloning"
    git clone --quiet --no-checkout --origin origin -- "$repository" "$work" || fail 10 "the clone failed"
    if ! switch_branch; then
        rm -rf -- "$work"
        fail 11 "neither the branch nor its source is on the remote: $branch, $source"
    fi
fi
mv -- "$work" "$SESSION_DIRECTORY"
say "the repository is ready"
