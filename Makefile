# Works on a bare machine with python3 (3.11 or 3.12) and make; everything lands in .uv and .venv.
PYTHON ?= python3
BIN := .venv/bin
UV := .uv/bin/uv
READY := .venv/.ready
KUBEFLOW := .kubeflow/.ready
BROWSER := .venv/.browser
# Bytecode is written at first import, once: without it every kernel start compiles torch again.
export PYTHONDONTWRITEBYTECODE :=
export UV_PYTHON_DOWNLOADS := never
# What kernels are forked from ends soon after a test; for a person it stays for a quarter of an hour.
test nbs tests ui: export MLOPS_NB_KERNEL_IDLE_S := 60

.PHONY: help setup kubeflow demo test check lint nbs tests ui readme templates lab labextension docs lock export clean

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

setup: $(READY)  ## .venv with every locked package and this project, editable

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 13) else \
	    "Found Python %d.%d; mlops_nb runs on 3.11 and 3.12. Run: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv

$(READY): requirements.lock settings.ini setup.py pyproject.toml mlops_nb/labextension/package.json | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

kubeflow: $(KUBEFLOW)  ## .kubeflow: Kubeflow's SDK, whose pins are not ours, to test what we compile
$(KUBEFLOW): tests/kubeflow.lock $(READY)
	test -x .kubeflow/bin/python || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" .kubeflow
	$(UV) pip sync --quiet --python .kubeflow/bin/python --require-hashes tests/kubeflow.lock
	for site in .kubeflow/lib/python*/site-packages; do $(BIN)/python -c \
	    'import site; print(*(f"import site; site.addsitedir({p!r})" for p in site.getsitepackages()), sep="\n")' \
	    > $$site/ours.pth; done
	touch $@

demo: $(READY)   ## the main job, on rendered road scenes: camera images to a watched model
	$(BIN)/mlops-nb --workspace demo-workspace demo $(ARGS)

test: check nbs tests ui  ## everything CI runs

check: $(READY)  ## generated files and README agree with the notebooks; lint and format
	$(BIN)/python tests/check_export.py
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

nbs: $(READY)    ## every cell of every library notebook; the tutorials are executed by tests
	$(BIN)/nbdev-test --n-workers 2 --skip-folder-re '^([_.]|tutorials)'

tests: $(READY) $(KUBEFLOW) $(BROWSER)  ## properties, failures, walks, doors
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

ui: $(READY) $(BROWSER)  ## JupyterLab, clicked through in a real browser
	$(BIN)/python -m pytest tests/ui -p no:xdist $(ARGS)

$(BROWSER): $(READY)
	command -v chromium || { test "$$(id -u)" = 0 && command -v apt-get && apt-get update --quiet \
	    && apt-get install --quiet --yes chromium; } || $(BIN)/playwright install chromium
	touch $@

lab: $(READY)    ## JupyterLab on the notebooks and the demo's workspace, or MLOPS_NB_WORKSPACE
	MLOPS_NB_WORKSPACE="$${MLOPS_NB_WORKSPACE:-$(CURDIR)/demo-workspace}" $(BIN)/jupyter lab \
	    --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/nbs/index.ipynb \
	    $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

labextension: $(READY)  ## mlops_nb/labextension from labextension/ (committed: only who changes it builds it)
	$(BIN)/python labextension/build.py
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .

readme: $(READY) ## README.md from nbs/index.ipynb
	$(BIN)/python tests/check_export.py --write

lock: $(UV)      ## requirements.lock from settings.ini: universal, with hashes, without addresses
	$(UV) pip compile --python $(PYTHON) --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-emit-package mlops-nb --override overrides.txt \
	    requirements.in -o requirements.lock
	$(UV) pip compile --python $(PYTHON) --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header tests/kubeflow.in -o tests/kubeflow.lock

clean:           ## forget environments and the demo's workspace
	rm -rf .venv .uv .kubeflow demo-workspace
