# lxdfleet. `make help` lists what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
BIN := bin
# Tools are built from the module proxy at exact versions and kept in bin/.
GOLANGCI_LINT := $(BIN)/golangci-lint-2.15.0
OAPI_CODEGEN := $(BIN)/oapi-codegen-2.8.2
# Servers for tests: an ACME authority and an S3 server.
PEBBLE := $(BIN)/pebble-2.10.1
VERSITYGW := $(BIN)/versitygw-1.8.0
# kopia's own tool, which has to be able to read our backups.
KOPIA := $(BIN)/kopia-0.23.1
# Known weaknesses of Go modules.
GOVULNCHECK := $(BIN)/govulncheck-1.8.0
# Runs `go test`, and once more what failed: docs/decisions/2026-11-21-tests-twice.md.
GOTESTSUM := $(BIN)/gotestsum-1.13.0
export CGO_ENABLED ?= 0

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/lxdfleet, with the dashboard where npm is there
	scripts/web build --if-possible
	$(GO) build -trimpath -o $(BIN)/lxdfleet ./cmd/lxdfleet

.PHONY: web
web: ## Build the dashboard into web/dist, which the next build embeds
	scripts/web build

.PHONY: web-test
web-test: ## Types, style and unit tests of the dashboard
	scripts/web test

.PHONY: demo
demo: build ## LXD, a WordPress golden image, two tenants over HTTPS, on this machine
	scripts/demo up

.PHONY: demo-down
demo-down: ## Remove all that `make demo` made, and nothing else
	scripts/demo down

.PHONY: test
test: lint web-test unit integration e2e zfs demo-test ## All tests

.PHONY: unit
unit: $(GOTESTSUM) ## Unit tests with the race detector, no LXD needed
	@# docs/decisions/2026-11-21-tests-twice.md. With the tag testing kopia derives keys from
	@# passphrases cheaply: its scrypt takes seconds under the race detector, each time.
	CGO_ENABLED=1 $(GOTESTSUM) --format pkgname-and-test-fails --hide-summary skipped \
		--rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race \
		--packages=./... -- -race -tags testing -skip '^TestKinds' -timeout 20m
	@# Every step of every kind of job repeated, failed and crashed: hundreds of fleets in
	@# virtual time, which the race detector makes thirty times slower and no truer.
	$(GO) test -tags testing -run '^TestKinds' ./internal/tenants ./internal/images ./internal/snapshots ./internal/backups ./internal/migration

.PHONY: integration
integration: tools ## Tests on a real LXD cluster and a real MariaDB, which it starts and removes
	scripts/test-integration

.PHONY: zfs
zfs: ## Tests on real ZFS, in a virtual machine that is made at the first run
	scripts/test-zfs

.PHONY: tools
tools: $(PEBBLE) $(VERSITYGW) $(KOPIA) $(GOTESTSUM) ## Build the programs that tests need into bin/

.PHONY: e2e
e2e: tools ## The dashboard in Chromium against a real daemon on a real cluster; pictures in web/shots
	@# docs/decisions/2026-11-21-tests-twice.md
	scripts/test-e2e || { echo "e2e: failed as above; once more, from the beginning" >&2 && scripts/test-e2e; }

.PHONY: kill-test
kill-test: ## The daemon killed after each event of each kind of job, on a real cluster; integration has a part of it
	scripts/test-kill

.PHONY: demo-test
demo-test: build ## The demo from nothing to nothing, checked with curl
	scripts/test-demo

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Static checks, import rules, formatting
	$(GOLANGCI_LINT) run ./...

.PHONY: audit
audit: ## Known weaknesses in Go modules and npm packages; needs their databases, so it is no part of test
	scripts/audit

.PHONY: generate
generate: $(OAPI_CODEGEN) ## Generate the API's types and client from openapi.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(GO) generate ./...

.PHONY: bench
bench: ## Go benchmarks, each once
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...

.PHONY: bench-clone
bench-clone: build ## tenant create against bare lxc, side by side
	scripts/bench-clone

.PHONY: bench-snapshot
bench-snapshot: build ## Snapshots and restores under load against bare lxc, side by side
	scripts/bench-snapshot

.PHONY: bench-move
bench-move: build ## Moves under load and a drain against bare lxc, side by side
	scripts/bench-move

.PHONY: bench-proxy
bench-proxy: ## The proxy beside nginx, HAProxy and Caddy, side by side
	scripts/bench-proxy

.PHONY: bench-api
bench-api: ## The API with 10,000 tenants, on SQLite and MariaDB: lists, tenants, 1,000 event streams, memory
	scripts/bench-api

.PHONY: bench-backup
bench-backup: ## Backups to an S3 server and back, beside restic, side by side
	scripts/bench-backup

.PHONY: devcluster
devcluster: ## A three-member LXD cluster on this machine, for development
	scripts/devcluster up

.PHONY: devcluster-down
devcluster-down: ## Remove the development cluster
	scripts/devcluster down

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN) build web/node_modules
	find web/dist -mindepth 1 ! -name .keep -delete

$(GOLANGCI_LINT):
	GOBIN="$(CURDIR)/$(BIN)" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(BIN)/golangci-lint $@

$(PEBBLE):
	GOBIN="$(CURDIR)/$(BIN)" $(GO) install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1
	mv $(BIN)/pebble $@

$(GOTESTSUM):
	GOBIN="$(CURDIR)/$(BIN)" $(GO) install gotest.tools/gotestsum@v1.13.0
	mv $(BIN)/gotestsum $@

$(GOVULNCHECK):
	GOBIN="$(CURDIR)/$(BIN)" $(GO) install golang.org/x/vuln/cmd/govulncheck@v1.8.0
	mv $(BIN)/govulncheck $@

$(VERSITYGW):
	GOBIN="$(CURDIR)/$(BIN)" $(GO) install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	mv $(BIN)/versitygw $@

$(KOPIA): # in its own module, with what that asks for
	$(GO) mod download github.com/kopia/kopia
	cd "$$($(GO) list -m -f '{{.Dir}}' github.com/kopia/kopia)" && $(GO) build -o "$(CURDIR)/$@" .

$(OAPI_CODEGEN):
	GOBIN="$(CURDIR)/$(BIN)" $(GO) install github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2
	mv $(BIN)/oapi-codegen $@ && ln -sf $(notdir $@) $(BIN)/oapi-codegen
