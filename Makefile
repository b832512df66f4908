# What one needs to run, test and change opencode-router. `make help` lists it.
SHELL := /bin/bash
SWIFT ?= swift
BUILD := $(SWIFT) build
# A binary that carries Swift's libraries with it, so that it runs where no toolchain is.
RELEASE := $(BUILD) -c release --static-swift-stdlib
BINARY = $(shell $(RELEASE) --show-bin-path)/opencode-router
VENV := .venv
SWIFT_SOURCES := Sources Tests Package.swift

.DEFAULT_GOAL := help
.PHONY: help run build test test-fast unit end-to-end browser format lint docs docs-check image bench soak clean real-cluster \
	dependencies test-dependencies toolchain

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build the release and serve on http://localhost:3000 in development mode.
	@echo "opencode-router: http://localhost:$${PORT:-3000}"
	@export DEVELOPMENT=$${DEVELOPMENT:-true} SESSION_RUNTIME=$${SESSION_RUNTIME:-local} && \
		export DEV_EMAIL=$${DEV_EMAIL:-$$(git config user.email || echo dev@example.com)} && \
		exec $(BINARY) serve $(ARGS)

build: dependencies ## Build the release binary.
	@$(RELEASE) --product opencode-router

test: dependencies test-dependencies ## Run every test, from formatting to the browser.
	@$(VENV)/bin/python Tests/run.py

test-fast: dependencies test-dependencies ## Run the checks and unit tests only.
	@$(VENV)/bin/python Tests/run.py format layers unit

unit: dependencies ## Run the unit tests.
	@$(SWIFT) test

end-to-end: build test-dependencies ## Run the tests through the real binary.
	@$(VENV)/bin/python -m pytest Tests/EndToEnd

browser: build test-dependencies ## Run the tests in a real browser.
	@$(VENV)/bin/python -m pytest Tests/Browser

format: toolchain ## Format the Swift sources.
	@$(SWIFT) format -i -r $(SWIFT_SOURCES)

lint: toolchain ## Check the format of the Swift sources.
	@$(SWIFT) format lint --strict -r $(SWIFT_SOURCES)

docs: dependencies ## Write docs/configuration.md and the manual page from the settings' declarations.
	@$(BUILD) --product opencode-router
	@$$($(BUILD) --show-bin-path)/opencode-router reference > docs/configuration.md
	@$$($(BUILD) --show-bin-path)/opencode-router reference manual > docs/opencode-router.1

docs-check: build test-dependencies ## Run every command of README and docs that can run here.
	@$(VENV)/bin/python -m pytest -q Tests/Documentation

image: ## Build the container image; IMAGE=name:tag names it.
	@scripts/build-image.sh $(if $(IMAGE),--tag $(IMAGE))

bench: build test-dependencies ## Compare the proxy with HAProxy and nginx on this machine.
	@Tests/Support/install.sh packages bench
	@$(VENV)/bin/python Tests/Bench/bench.py $(BINARY)

soak: build test-dependencies ## Mixed load with faults for MINUTES (30).
	@$(VENV)/bin/python Tests/Soak/soak.py --binary $(BINARY) --seconds $$(( $(or $(MINUTES),30) * 60 ))

real-cluster: build test-dependencies ## Run the Kubernetes tests against a real API server: KUBERNETES_BINARIES=folder.
	@for program in etcd kube-apiserver kube-controller-manager; do \
		test -x "$(KUBERNETES_BINARIES)/$$program" || { \
			echo "KUBERNETES_BINARIES has to name a folder with $$program: see CONTRIBUTING.md" >&2; exit 1; }; done
	@KUBERNETES_BINARIES="$(KUBERNETES_BINARIES)" $(VENV)/bin/python -m pytest --real-cluster Tests/Kubernetes Tests/RealCluster

clean: ## Remove what building made.
	@rm -rf .build .build-* $(VENV)

toolchain:
	@command -v $(SWIFT) >/dev/null || { \
		echo "swift is not on PATH; opencode-router needs Swift 6.3: https://www.swift.org/install/linux/" >&2; exit 1; }

dependencies: toolchain
	@Tests/Support/install.sh packages build

test-dependencies:
	@Tests/Support/install.sh packages test
	@Tests/Support/install.sh python $(VENV)
