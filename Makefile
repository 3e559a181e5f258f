# The verbs of mien. Each one sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PORT ?= 3000
UI_PORT ?= 5000
WORKERS ?= 1
BUDGET ?= quick
PACKAGE ?= $(firstword $(wildcard serving/released/ferplus serving/released/fer2013) artifacts/package)

# DVC starts the steps by the name `python`; a nested make must find the same one.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)
export BENTOML_DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR := false
# Where a machine sets it, every step compiles all of TensorFlow and MLflow anew, which takes
# three times as long as to import them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup data weights repro search train study test lint detector serve retrain drift release promote rollback ui plots lock clean clean-data

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Install everything, as locked in requirements/dev.txt, into .venv

$(READY): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "mien needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	echo "Setting up $(VENV) (once; about a minute and 3 GB) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes $<
	$(BIN)/python -m pipelines.plots_page
	touch $@

data: $(READY) ## Bring in the data set that data.dvc names (a DVC remote's, or the embedded one)
	@python -m pipelines.data

weights: $(READY) ## Say which pretrained weights there are, where to put them, what is there
	@python -m pipelines.weights

repro: data ## Run what has to be run, from the faces to the packaged ensemble
	@dvc repro
	python -m pipelines.summary

search: data ## Run the search with what it needs, in WORKERS processes side by side
	@SEARCH_WORKERS=$(WORKERS) dvc repro search

train: data ## Train MEMBER with what it needs; WORKERS processes share out every batch
	@test -n "$(MEMBER)" || { echo "Name one: make train MEMBER=mini_xception" >&2; exit 1; }
	TRAIN_WORKERS=$(WORKERS) dvc repro train@$(MEMBER)

study: data ## Run the two studies' experiments one by one, write docs/study.md (BUDGET=quick, hours or full)
	@python -m pipelines.study --budget $(BUDGET)

test: $(READY) ## Run the tests
	@python -m pytest

lint: $(READY) ## Check style
	@ruff check .
	ruff format --check .

detector: $(READY) ## Fetch YuNet, the better face detector (0.2 MB, from the OpenCV Zoo)
	@python -m pipelines.yunet

serve: $(READY) ## Serve the champion, or else PACKAGE (what is released), on http://localhost:3000 (PORT=...)
	@tag=$$(python -m pipelines.bento $(PACKAGE))
	MIEN_CHAMPION="$${MIEN_CHAMPION-$(CURDIR)/artifacts/champion}" bentoml serve $$tag --port $(PORT)

retrain: $(READY) ## Run, report, judge, build the Bento (ARGS=--push: and push; see the module)
	@python -m pipelines.retrain --because "$${BECAUSE:-by hand}" $(ARGS)

drift: $(READY) ## Compare a prediction log with the packaged ensemble's data (LOG=folder)
	@python -m pipelines.drift $(LOG)

release: $(READY) ## Keep what was packaged in serving/released, with its evidence; write docs/results.md
	@python -m pipelines.release

promote: $(READY) ## Judge the model that was packaged last; make it champion if it passes
	@python -m components promote

rollback: $(READY) ## Make the previous champion champion again
	@python -m components rollback

ui: $(READY) ## Show the runs in MLflow on http://localhost:5000 (UI_PORT=...)
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --workers 1 --port $(UI_PORT) \
		--backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}"

plots: $(READY) ## Write dvc_plots/index.html with the plots of dvc.yaml
	@dvc plots show

lock: $(READY) ## Resolve the dependency groups of pyproject.toml into requirements/
	@compile="uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate"
	$$compile --group dev -o requirements/dev.txt
	for group in train serve kubeflow; do
		$$compile --group $$group -c requirements/dev.txt -o requirements/$$group.txt
	done

clean: ## Remove what the pipeline made: artifacts, plots, checkpoints, the study, the MLflow store
	@rm -rf artifacts plots dvc_plots .checkpoints .study mlflow.db mlruns

clean-data: ## Remove data/ (DVC's cache keeps what `dvc add` put there)
	@rm -rf data
