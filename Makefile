PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/lowres-stilts

.PHONY: quickstart test test-all shown lint docs bench dist matrix licences sbom audit mutants long clean

quickstart: $(VENV)/.starter  ## the three phases on two CPU cores, nothing downloaded from a hub
	$(RUN) run configs/quickstart.yaml -o runs/quickstart --resume

# Two processes of one thread each: threads of several processes that wait for each other's cores are far slower.
test: $(VENV)/.dev  ## the fast suite
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -m "not slow" --numprocesses 2 --dist worksteal --durations 20

test-all: $(VENV)/.dev  ## everything, the small recipes of every task included
	$(VENV)/bin/pytest --hypothesis-profile thorough

# Beside each other, two processes of one thread.
shown: $(VENV)/.dev  ## runs tutorials, notebook and recipes of the docs that have changed, and records those that pass
	LOWRES_STILTS_RECORD_SHOWN=1 OMP_NUM_THREADS=1 $(VENV)/bin/pytest -m slow --numprocesses 2 tests/docs

lint: $(VENV)/.dev  ## format, rules, types, order of the rooms, dependencies, unused code
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/deptry src
	$(VENV)/bin/vulture

long: $(VENV)/bin/python  ## functions of more than 40 lines, files of more than 300
	$(VENV)/bin/python scripts/long_code.py

dist: $(VENV)/.release  ## sdist and wheel in dist/, as PyPI wants them
	rm -rf dist
	$(VENV)/bin/python -m build
	$(VENV)/bin/twine check --strict dist/*

matrix: $(VENV)/.release  ## every extra by itself, at its lowest and its newest versions
	$(VENV)/bin/nox --sessions dist extras

licences: $(VENV)/.dev  ## docs/licences.md anew
	$(VENV)/bin/python scripts/licences.py

sbom: $(VENV)/.release  ## what is installed here, as CycloneDX, in dist/sbom.json
	mkdir -p dist
	$(VENV)/bin/cyclonedx-py environment $(VENV)/bin/python --pyproject pyproject.toml --of JSON -o dist/sbom.json

audit: $(VENV)/.release  ## known vulnerabilities of what is installed here; asks PyPI, so it needs the network
	$(VENV)/bin/pip-audit --skip-editable

mutants: $(VENV)/.release  ## mutation testing of a room, minutes to hours: ROOM=recipe, tasks, evaluation or hub; SAMPLE=120
	$(VENV)/bin/python scripts/mutants.py $(ROOM) $(if $(SAMPLE),--sample $(SAMPLE))

docs: $(VENV)/.dev  ## the site, into build/site; links are checked
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet && echo built: build/site/index.html

bench: $(VENV)/.dev  ## speed and memory against peers
	$(VENV)/bin/python benchmarks/training.py --quick
	$(VENV)/bin/python benchmarks/memory.py --quick
	$(VENV)/bin/python benchmarks/data.py --quick
	$(VENV)/bin/python benchmarks/modules.py --quick
	$(VENV)/bin/python benchmarks/onnx.py --quick
	$(VENV)/bin/python benchmarks/overflow.py
	$(VENV)/bin/python benchmarks/serving.py --quick
	$(VENV)/bin/python benchmarks/study.py --quick

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lowres-stilts needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.starter: $(VENV)/bin/python pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --editable '.[starter]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.starter

$(VENV)/.release: $(VENV)/.dev pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --editable '.[release]'
	@touch $@

clean:
	rm -rf $(VENV) .nox build dist mutants .mypy_cache .pytest_cache .ruff_cache
