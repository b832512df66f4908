#!/bin/bash
# Builds the router's image from the Dockerfile, with buildah or docker.
#
#   scripts/build-image.sh [--tag NAME:TAG] [--binary FILE] [--from-debian DIRECTORY] [--builder NAME] [--push]
#
# --binary      takes a release binary that is there already, and builds the final stage only.
# --from-debian builds on a Debian made by debootstrap in DIRECTORY (made if missing) instead of a registry's images; the
#               build stage then takes the Swift toolchain of this machine. For machines that reach no registry. Needs
#               buildah and root.
# --builder     buildah or docker, where both are installed.
#
# BUILD_IMAGE and BASE_IMAGE choose other images, BUILDAH_OPTIONS goes to buildah. The last line is the image's name.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/.*static let current = "\(.*\)"/\1/p' Sources/opencode-router/Commands/VersionCommand.swift)
revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
dirty=""
if [ -n "$(git status --porcelain 2>/dev/null)" ]; then dirty=.dirty; fi
tag=opencode-router:$version-$revision$dirty
binary="" debian="" push=""
builder=$(basename "$(command -v buildah || command -v docker || echo none)")

while [ $# -gt 0 ]; do
    case "$1" in
        --tag) tag=$2; shift ;;
        --binary) binary=$2; shift ;;
        --from-debian) debian=$2; shift ;;
        --builder) builder=$2; shift ;;
        --push) push=yes ;;
        *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done

# Where scratch files and, with --from-debian, the base's archive live until the end.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

options=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision$dirty" --tag "$tag")
if [ -n "${BUILD_IMAGE:-}" ]; then options+=(--build-arg "BUILD_IMAGE=$BUILD_IMAGE"); fi
if [ -n "${BASE_IMAGE:-}" ]; then options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE"); fi
file=Dockerfile

if [ "$builder" = buildah ]; then
    read -r -a buildah <<< "buildah ${BUILDAH_OPTIONS:-}"
    # HEALTHCHECK is a thing of Docker's format.
    build=("${buildah[@]}" bud --format docker --layers=false)
    if [ -n "$debian" ]; then build+=(--isolation chroot); fi
    push_command=("${buildah[@]}" push)
elif [ "$builder" = docker ]; then
    build=(docker buildx build --load)
    push_command=(docker push)
else
    echo "neither buildah nor docker is installed" >&2
    exit 1
fi

if [ -n "$debian" ]; then
    if [ ! -e "$debian/bin/sh" ]; then
        debootstrap --variant=minbase bookworm "$debian" >&2
    fi
    # What a slim image leaves out, too.
    rm -rf "$debian"/var/lib/apt/lists/* "$debian"/var/cache/apt/*.bin "$debian"/var/cache/apt/archives/*.deb \
        "$debian"/usr/share/doc/* "$debian"/usr/share/man/* "$debian"/usr/share/locale/* "$debian"/var/log/*
    base=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add -q "$base" "$debian" / >/dev/null
    "${buildah[@]}" commit -q "$base" localhost/debian:bookworm-slim >/dev/null
    "${buildah[@]}" rm "$base" >/dev/null
    options+=(--build-arg BASE_IMAGE=localhost/debian:bookworm-slim --pull-never)
    if [ -z "$binary" ]; then
        toolchain=$(realpath "$(dirname "$(command -v swift)")/../..")
        cat > "$scratch/Dockerfile.toolchain" <<END
FROM localhost/debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git binutils gcc libc6-dev \
    libstdc++-12-dev libcurl4 libedit2 libncurses6 libpython3.11 libsqlite3-0 libxml2 tzdata zlib1g-dev
COPY --from=toolchain usr /usr
END
        "${build[@]}" --pull-never -f "$scratch/Dockerfile.toolchain" --build-context "toolchain=$toolchain" \
            --tag localhost/swift:bookworm "$scratch" >&2
        options+=(--build-arg BUILD_IMAGE=localhost/swift:bookworm)
        # Where this machine has the dependencies' sources instead of the network, the build has them, too.
        while read -r key value; do
            git config --file "$scratch/gitconfig" --add "$key" "$value"
            mirror=${key#url.} && mirror=${mirror%.insteadof}
            # Several addresses may lead to one place, which can be mounted once.
            if [ -d "$mirror" ] && [[ "${build[*]}" != *"$mirror:"* ]]; then build+=(--volume "$mirror:$mirror:ro"); fi
        done < <(git config --get-regexp '^url\..*\.insteadof$')
        if [ -e "$scratch/gitconfig" ]; then build+=(--volume "$scratch/gitconfig:/etc/gitconfig:ro"); fi
    fi
fi

if [ -n "$binary" ]; then
    mkdir -p "$scratch/built/built"
    install -s "$binary" "$scratch/built/built/opencode-router"
    # The final stage as it stands, with a folder in the place of the build stage.
    sed -n '/^ARG [A-Z_]*IMAGE=/p; /^FROM .* AS router$/,$p' Dockerfile > "$scratch/Dockerfile"
    file=$scratch/Dockerfile
    options+=(--build-context "build=$scratch/built")
fi

"${build[@]}" "${options[@]}" --file "$file" . >&2
if [ -n "$push" ]; then "${push_command[@]}" "$tag" >&2; fi
echo "$tag"
