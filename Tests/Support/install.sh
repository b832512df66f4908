#!/bin/bash
# Installs what is missing: `install.sh packages build|test|bench` Debian packages, `install.sh python FOLDER` a virtual
# environment with the test tools. Installs nothing that is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."

build_packages=(git pkg-config libssl-dev zlib1g-dev libbrotli-dev libyaml-dev)
# nginx and HAProxy are readers that ours is compared with, as processes of the tests; strace counts system calls.
test_packages=(python3 python3-venv curl binutils chromium node-typescript shellcheck haproxy nginx-light mandoc
    buildah debootstrap strace)
bench_packages=(haproxy nginx-light libnginx-mod-http-brotli-static brotli wrk)

retry() {
    # Package mirrors fail now and then; a broken one fails three times.
    for attempt in 1 2 3; do
        if "$@"; then return 0; fi
        sleep $((attempt * 5))
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

packages() {
    local missing=()
    for package in "$@"; do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed"; then
            missing+=("$package")
        fi
    done
    if [ ${#missing[@]} = 0 ]; then return 0; fi
    if ! command -v apt-get >/dev/null; then
        echo "please install the equivalents of these Debian packages: ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    retry as_root apt-get update -qq
    # Debian starts a service when it is installed; the tests start what they need themselves.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    retry as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

python() {
    local folder=$1 wanted
    wanted=$(sha256sum Tests/requirements.txt)
    if [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ]; then return 0; fi
    echo "installing the test tools into $folder" >&2
    python3 -m venv "$folder"
    retry "$folder/bin/pip" install -q --disable-pip-version-check -r Tests/requirements.txt
    checker "$folder"
    echo "$wanted" > "$folder/installed"
}

# Prometheus's checker out of its Debian package, without installing the service.
checker() {
    local target
    target=$(realpath "$1")/bin
    if command -v promtool >/dev/null; then return 0; fi
    (
        scratch=$(mktemp -d)
        trap 'rm -rf "$scratch"' EXIT
        cd "$scratch"
        apt-get download -qq prometheus >/dev/null 2>&1 || {
            as_root apt-get update -qq
            apt-get download -qq prometheus >/dev/null 2>&1
        }
        dpkg -x prometheus_*.deb .
        cp usr/bin/promtool "$target/"
    )
}

case "$1 $2" in
    "packages build") packages "${build_packages[@]}" ;;
    "packages test") packages "${test_packages[@]}" ;;
    "packages bench") packages "${bench_packages[@]}" ;;
    python\ *) python "$2" ;;
    *) echo "usage: install.sh packages build|test|bench, install.sh python FOLDER" >&2; exit 2 ;;
esac
