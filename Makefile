# What a fresh machine needs: Python 3.11 or newer, and make. Everything else goes into .venv.
#
#   make demo [ARGS=--once]   the whole gateway with made-up agencies and people
#   make test  make check     the tests; style, types and the layers
#   make drill                backs up while serving, loses the database, restores, proves the log, goes on
#   make chaos                kills, fills, floods and cuts off what runs, under load, and says how long each took to mend
#   make soak MINUTES=60      a mixed load for so long, with faults; figures each minute, the log verified at the end
#   make bench                how fast it is here, beside others (ARGS=--help: how to choose)
#   make bench-large          searching a log of ENTRIES=10000000; says first what disk and time it needs
#   make bench-memory         what it holds in memory after EXCHANGES=100000 of them
#   make sbom                 what the image carries, as CycloneDX, in sbom.cdx.json
#   make licences             its licences, against the list of those that may be there
#   make audit                what is known to be wrong with what is locked (asks a service on the network)
#   make check-deploy         deploy/: the manifests against their schemas, Envoy's file in a real Envoy
#   make openapi              writes openapi/gateway.v1.yaml anew, after a route has changed
#   make lock                 pins the dependencies anew
#   make clean                removes what the others made

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check drill chaos soak bench bench-large bench-memory sbom licences audit check-deploy openapi lock clean

BIN := .venv/bin
STAMP := .venv/.installed
PYTHON ?=
ARGS ?=
EXCHANGES ?= 100000
COMPILE = uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command 'make lock'

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)

# The stamp is written last: an install that was interrupted is begun anew.
$(STAMP): requirements.lock pyproject.toml
	@set -e; found=; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			found=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo 'ต้องใช้ Python 3.11 ขึ้นไป ติดตั้งแล้วลองใหม่ หรือระบุด้วย make PYTHON=/path/to/python3' >&2; \
		echo 'Python 3.11 or newer is needed: install it and try again, or name one: make PYTHON=/path/to/python3' >&2; \
		exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found ไม่มีโมดูล venv (บน Debian และ Ubuntu: ติดตั้งแพ็กเกจ python3-venv)" >&2; \
		echo "$$found lacks the venv module (on Debian and Ubuntu: install the package python3-venv)" >&2; \
		exit 1; \
	fi; \
	echo 'กำลังติดตั้งลงใน .venv (ครั้งแรกครั้งเดียว ประมาณหนึ่งนาที)'; \
	echo 'Installing into .venv (about a minute, once)'; \
	if [ -e $(STAMP) ] && $(BIN)/python -c '' 2>/dev/null; then rm -f $(STAMP); else "$$found" -m venv --clear .venv; fi; \
	$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	touch $(STAMP); \
	echo 'ติดตั้งเสร็จแล้ว / Installed.'

demo: $(STAMP)
	@exec $(BIN)/linkage demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

drill: $(STAMP)
	DRILL=whole $(BIN)/python -m pytest -v tests/backup $(ARGS)

chaos: $(STAMP)
	CHAOS=whole $(BIN)/python -m pytest -s tests/chaos $(ARGS)

soak: $(STAMP)
	@$(BIN)/python -m tests.chaos.soak $(or $(MINUTES),10)

bench: $(STAMP)
	@$(BIN)/python -m bench.run $(ARGS)
	@echo 'a judgement costs / หนึ่งการพิจารณาใช้เวลา'
	@$(BIN)/python tests/policy/judge_cost.py
	@echo 'the exchange log / บันทึกการแลกเปลี่ยนข้อมูล'
	@$(BIN)/python -m bench.log
	@echo 'with one source hanging / เมื่อหน่วยงานหนึ่งไม่ตอบ'
	@$(BIN)/python -m bench.hanging

bench-large: $(STAMP)
	@$(BIN)/python -m bench.large $(if $(ENTRIES),--entries $(ENTRIES)) $(ARGS)

bench-memory: $(STAMP)
	@$(BIN)/python -m bench.memory $(EXCHANGES) $(ARGS)

# Of what the image installs: an environment from its lock, as the Dockerfile makes it.
.serve/.installed: requirements.serve.lock | $(STAMP)
	$(BIN)/python -m venv --clear .serve
	.serve/bin/pip install -qq --no-input --disable-pip-version-check --require-hashes -r requirements.serve.lock
	.serve/bin/pip uninstall -q -y setuptools pip 2>/dev/null
	touch $@

.tools/.installed: requirements.tools.lock | $(STAMP)
	$(BIN)/python -m venv --clear .tools
	.tools/bin/pip install -qq --no-input --disable-pip-version-check --require-hashes -r requirements.tools.lock
	touch $@

sbom: .serve/.installed .tools/.installed
	.tools/bin/cyclonedx-py environment .serve/bin/python --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file sbom.cdx.json
	@echo sbom.cdx.json

licences: .serve/.installed .tools/.installed
	@.tools/bin/pip-licenses --python=.serve/bin/python --format=json --from=mixed | $(BIN)/python -m supply.licences

audit: .tools/.installed
	@$(BIN)/python -m supply.audit .tools/bin/pip-audit requirements.serve.lock requirements.lock

check-deploy: $(STAMP) .tools/.installed
	.tools/bin/kubernetes-validate --strict deploy/kubernetes/*.yaml
	LINKAGE_ENVOY=$$(.tools/bin/python -c 'from pathlib import Path; import envoy; print(Path(envoy.__file__).parent / "_bin/envoy")') \
		$(BIN)/python -m pytest tests/deploy $(ARGS)

openapi: $(STAMP)
	$(BIN)/python -m gateway.http.openapi_file openapi/gateway.v1.yaml

# Three locks: everything (for work on it), what the image needs to build and serve, and tools that look at both.
lock:
	@command -v uv >/dev/null || { echo 'make lock ต้องใช้ uv / make lock needs uv: pip install uv' >&2; exit 1; }
	$(COMPILE) --extra dev --extra traces pyproject.toml -o requirements.lock
	echo setuptools | $(COMPILE) -c requirements.lock --extra traces pyproject.toml - -o requirements.serve.lock
	$(COMPILE) requirements.tools.in -o requirements.tools.lock

clean:
	rm -rf .venv .serve .tools sbom.cdx.json build dist *.egg-info demo-state bench-result \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
