# `make demo`, `make test` and `make gate` each do everything on a fresh machine with Python 3.11, 3.12, 3.13 or 3.14.

BIN := .venv/bin
READY := .venv/ready
ROOMS := datasets sim recon reports bench

demo: $(READY)
	$(BIN)/veristem demo --out demo

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/kernels.py & $(BIN)/pyright && wait $$!
	PYTHONPATH=.links $(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal

# what takes long: trainings, killed workers, packages of others, statistics
test-slow: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m slow

# the window of `veristem app`, used in Chromium; skipped where there is none
app-test: $(READY)
	$(BIN)/pytest tests/app -o python_files='browse_*.py'

GATES := gate-lines gate-particles
gate: $(GATES)

$(GATES): $(READY)
	$(BIN)/veristem study $@ -o .gate/$@ --workers 2
	$(BIN)/veristem gate .gate/$@ --baseline bench/baselines/$@.json --junit .gate/$@.xml --markdown .gate/$@.md

bench: $(READY)
	@mkdir -p .benchmarks
	$(BIN)/pytest tests/benchmarks --benchmark-only --benchmark-columns=min,median,rounds --benchmark-json=.benchmarks/times.json
	$(BIN)/python reports/published/benchmarks/make.py .benchmarks/times.json

validation: $(READY)
	$(BIN)/python docs/validation/make.py

scores: $(READY)
	$(BIN)/python docs/scores/make.py

gallery: $(READY)
	$(BIN)/python docs/gallery/make.py

# The site: its tutorials are run, its links are checked, and a warning ends it. Opens as docs/_build/html/index.html.
docs: .venv/docs
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

# its links to other sites, for which a network is needed
links: .venv/docs
	$(BIN)/sphinx-build -b linkcheck -q docs docs/_build/links

dist: .venv/dist
	rm -rf dist && $(BIN)/python -m build --no-isolation . >/dev/null
	$(BIN)/twine check --strict dist/*
	$(BIN)/cffconvert --validate

# as a user has it: the wheel alone, in a new environment, away from the sources
dist-demo: dist
	@rm -rf .dist-demo && $(BIN)/python -m venv .dist-demo
	.dist-demo/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	cd .dist-demo && bin/veristem demo --out demo

.venv/docs .venv/dist: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(@F)]'
	@touch $@

# Each by the commands of its README. A study goes on where it stopped; what has ended is made again when code is newer.
REPORTS := $(patsubst reports/published/%/README.md,.reports/%.done,$(shell grep -l '^```$$' reports/published/*/README.md))
reports: $(REPORTS)

$(REPORTS): .reports/%.done: $(shell find $(ROOMS) -name published -prune -o \( -name '*.py' -o -name '*.toml' \) -print) | $(READY)
	@mkdir -p .reports
	awk '/^```/ { fence++; next } fence == 1' reports/published/$*/README.md | sed 's| results| .reports/$*|' | PATH="$(BIN):$$PATH" sh -ex
	@touch $@

# The planner's model from the studies of record, and the signals that ship; an hour on two cores, resumable
planner-model: $(READY)
	$(BIN)/python reports/published/planner/make.py fit reports/published/conditions
	$(BIN)/python reports/published/planner/make.py fit reports/published/conditions-films
	$(BIN)/python reports/published/planner/make.py ship .

.venv: $(READY)

# A name on PATH may be a shim of a version that is not installed, so each is run. pip is the last thing venv puts in.
$(READY): pyproject.toml setup.py constraints.txt
	@[ -x $(BIN)/pip ] || for python in python3.13 python3.12 python3.11 python3.14 python3; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then \
	    echo "$$python -m venv .venv"; exec $$python -m venv .venv; fi; done; \
	[ -x $(BIN)/pip ] || { echo "make: no Python 3.11, 3.12, 3.13 or 3.14 with venv found; install one and its venv" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,learn]'
	@mkdir -p .links/veristem && for room in $(ROOMS); do ln -sfn ../../$$room .links/veristem/$$room; done
	@ln -sfn ../../bench/face/__init__.py .links/veristem/__init__.py
	@touch $@

.PHONY: demo test test-slow app-test gate $(GATES) bench validation scores gallery docs links dist dist-demo reports planner-model .venv
