# Everything a person types. Tools are installed into .tools/ on first use, pinned by infra/requirements/.

.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
EVENT ?=
URL ?=
ARGS ?=
# The stack on AWS that `make admin` works on; the local one when empty.
STACK ?=
# What `make build` builds for: x86_64 or arm64.
ARCH ?= x86_64

# Bytes: a larger zip means that something heavy got linked by accident.
LARGEST_ZIP := 4194304

export PORT PARAMS STATE

tool = .tools/$(1)/installed
stack = .tools/local/bin/python infra/local
functions = $(notdir $(patsubst %/,%,$(wildcard functions/*/)))

.PHONY: help
help: ## Shows this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12
	@echo
	@echo 'PORT=4567 moves the local stack. PARAMS="Name=value …" overrides template parameters. AUTH=true enforces IAM.'

# ---- On this machine ----

.PHONY: dev up down mail logs replay admin
dev: $(call tool,local) ## Runs the whole thing here and follows changes; Ctrl-C stops it
	@exec $(stack) dev

up: $(call tool,local) ## The same in the background; writes .local/stack.env
	@exec $(stack) up

down: $(call tool,local) ## Stops it
	@exec $(stack) down

mail: $(call tool,local) ## Prints the newest mail
	@exec $(stack) mail

logs: $(call tool,local) ## Prints what the functions logged
	@exec $(stack) logs

replay: $(call tool,local) ## Runs an event against it: make replay EVENT=events/login.json
	@exec $(stack) replay $(EVENT)

admin: $(if $(STACK),$(call tool,aws)) ## An operator's commands: make admin ARGS="show ada@example.org"; STACK=name works on AWS
	@variables="$$($(if $(STACK),.tools/aws/bin/python infra/environment.py $(STACK),cat $(or $(STATE),.local)/stack.env))" && eval "$$variables" && \
	    cargo run --locked --quiet --profile local -p doorward-admin -- $(ARGS)

# ---- Checks ----

.PHONY: test lint unit stack-test openapi schemathesis preview probe
test: lint unit stack-test ## Everything that CI checks

lint: $(call tool,lint) ## Formatting, clippy, docs, the template
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --quiet
	.tools/lint/bin/cfn-lint infra/template.yaml

unit: ## Tests that need no stack: units, and every endpoint from event to response
	cargo test --locked --workspace --exclude doorward-stack-tests

stack-test: $(call tool,local) ## Tests of the deployed template, on a stack of its own
	$(stack) with_stack cargo test --locked --workspace --test stack_flow --test stack_wire

openapi: ## Checks docs/openapi.json against the code
	cargo test --locked --workspace --exclude doorward-stack-tests --test openapi --test wire

schemathesis: $(call tool,schemathesis) $(call tool,local) ## Asks a deployed stack of its own all that the document allows
	$(stack) with_stack sh -c '.tools/schemathesis/bin/schemathesis run docs/openapi.json --url "$$API_URL" --checks all --max-examples 25 --seed 1 --generation-database none --continue-on-failure --no-color'

preview: ## Every mail and page in every language with made-up data, in target/preview
	@cargo run --locked --quiet -p doorward-preview

probe: ## Asks a deployment whether the time of its answers gives accounts away: make probe URL=$$API_URL
	@cargo run --locked --quiet --release -p doorward-probe --bin probe -- $(URL) $(ARGS)

# ---- To AWS ----

.PHONY: build deploy
build: $(call tool,build) ## Release zips as Lambda wants them, in target/lambda; ARCH=arm64 for Graviton
	@for function in $(functions); do echo "==> $$function"; PATH="$(CURDIR)/.tools/build/bin:$$PATH" VIRTUAL_ENV="$(CURDIR)/.tools/build" \
	    cargo lambda build --locked --release --target $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu --output-format zip --package $$function || exit 1; done
	@cd target/lambda && for function in $(functions); do size=$$(wc -c < $$function/bootstrap.zip); echo "$$size $$function"; \
	    [ $$size -le $(LARGEST_ZIP) ] || { echo "build: $$function is larger than $(LARGEST_ZIP) bytes." >&2; exit 1; }; done

deploy: build $(call tool,aws) ## Deploys to AWS; asks what it needs on first use
	.tools/aws/bin/sam deploy --config-file $(CURDIR)/infra/samconfig.toml $(if $(wildcard infra/samconfig.toml),,--guided) --template-file infra/template.yaml

# ---- Tools ----

.tools/%/installed: infra/requirements/%.txt
	@command -v cargo >/dev/null || { echo "cargo is not installed; get Rust from rustup.rs." >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; Python 3.10 or later is needed." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is too old; Python 3.10 or later is needed." >&2; exit 1; }
	@echo "==> Installing $* tools into .tools/$* (once)"
	@rm -rf .tools/$*
	@$(PYTHON) -m venv .tools/$* >/dev/null || { echo "$(PYTHON) -m venv does not work; on Debian: apt-get install python3-venv." >&2; exit 1; }
	@.tools/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@
