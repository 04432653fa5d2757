# make demo   a sample portal with four tenants and Doorward before it: needs Rust and a C compiler, nothing else
# make test   everything this machine can test; says what it left out and why (STRICT=1: leaving something out fails)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
STRICT ?= 0
# a measuring laboratory beside the repository, for `make lab`
LAB_DIR ?= ../shared/lab
STATIC_TARGET ?= x86_64-unknown-linux-gnu
# where cargo builds, also when a configuration above this folder says so
target_dir = $$($(CARGO) metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

.PHONY: help demo test lint unit build sbom package audit bench lab fairness instructions

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: ## build and run the sample portal behind Doorward; prints the addresses to open
	@echo "Building (the first time takes a few minutes on two cores, later seconds) ..."
	$(CARGO) run --locked -- demo $(ARGS)

test: ## lint, unit and integration tests, real portals, browser
	@STRICT=$(STRICT) CARGO=$(CARGO) bash tests/all

lint: ## format and clippy, as the tests hold them
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

unit: ## the tests in Rust only
	@if $(CARGO) nextest --version >/dev/null 2>&1; then $(CARGO) nextest run --locked; else $(CARGO) test --locked; fi

build: ## the release binary, static: runs on any Linux, in an empty image
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --locked --release --target $(STATIC_TARGET)
	@binary=$(target_dir)/$(STATIC_TARGET)/release/doorward; \
	if readelf -lW $$binary | grep -q INTERP; then echo "$$binary is not static"; exit 1; fi; \
	ls -l $$binary

sbom: ## the bill of materials of the release binary, CycloneDX 1.5, as doorward.cdx.json (needs cargo-cyclonedx)
	@CARGO=$(CARGO) python3 deploy/sbom.py $(STATIC_TARGET)

package: build sbom ## tar.gz, Debian package, container image (OCI), bill of materials and checksums in dist/
	@python3 deploy/package.py --binary $(target_dir)/$(STATIC_TARGET)/release/doorward $(ARGS)

audit: ## dependencies against the advisory database, and their licences and sources (needs cargo-deny and the network)
	$(CARGO) deny --locked check

bench: ## criterion benches
	$(CARGO) bench --locked

lab: ## measure side by side with other proxies; needs a laboratory beside the repository (LAB_DIR)
	@[ -f "$(LAB_DIR)/peers.sh" ] || { echo "no laboratory in $(LAB_DIR): LAB_DIR=FOLDER names the one with peers.sh"; exit 1; }
	$(CARGO) build --release --locked
	DOORWARD="$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/doorward" \
	bash "$(LAB_DIR)/peers.sh" --only haproxy,envoy,nginx --rounds 3 --seconds 6 --idle --slow \
	  --candidate "$(CURDIR)/tests/lab/candidate.sh" --candidate-name doorward --candidate-port 22000 --candidate-tls-port 22001 \
	  --candidate-plain-port 22002 --candidate-plain-header 'Host: anon.test' $(LAB)

fairness: ## p99 of 1,000 well-behaved clients while one client attacks; needs python3 and nginx
	$(CARGO) build --release --locked
	python3 tests/lab/fairness.py --doorward "$(target_dir)/release/doorward" $(ARGS)

instructions: ## what one plain request costs in instructions; needs python3 and valgrind
	$(CARGO) build --release --locked
	python3 tests/lab/instructions.py --doorward "$(target_dir)/release/doorward" $(ARGS)
