# The router as an image: `make image`. It serves sessions on Kubernetes; the operator is the same image with another
# command. Runs as user 1000 on a read-only root file system; it writes nothing.
ARG BUILD_IMAGE=docker.io/library/swift:6.3-bookworm
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends git pkg-config libssl-dev zlib1g-dev libbrotli-dev libyaml-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# Dependencies change less often than sources.
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
# The package names its tests, and SwiftPM wants their folders.
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --product opencode-router \
    && install -D -s "$(swift build -c release --static-swift-stdlib --show-bin-path)/opencode-router" \
        /built/opencode-router

FROM ${BASE_IMAGE} AS router
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="opencode-router" \
    org.opencontainers.image.description="Coding sessions in the browser: a picker, an API, and a host for every session" \
    org.opencontainers.image.source="https://github.com/mrsimpson/opencode-router" \
    org.opencontainers.image.documentation="https://github.com/mrsimpson/opencode-router/blob/main/docs/deployment.md" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g libbrotli1 libyaml-0-2 libstdc++6 \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
COPY Public /opt/opencode-router/Public
COPY Resources /opt/opencode-router/Resources
COPY --from=build /built/opencode-router /opt/opencode-router/opencode-router
ENV PATH=/opt/opencode-router:/usr/local/bin:/usr/bin:/bin
USER 1000:1000
WORKDIR /opt/opencode-router
# Browsers by the ingress, session pods, `opencode attach`, and probes with Prometheus.
EXPOSE 3000 3001 4096 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["opencode-router", "healthcheck"]
ENTRYPOINT ["opencode-router"]
CMD ["serve"]
