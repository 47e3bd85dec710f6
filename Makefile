# The short way to try, test and check; `make help` lists what there is.

PORT = 5000
ARGS =

SPHINX = .venv/bin/python -m sphinx -q -W --keep-going -d docs/_build/doctrees

# What uses the libraries most: keys and JOSE, traffic, migrations, batches on each database.
LOWEST = tests/signing tests/protocols/google/test_jose.py tests/web/test_limiter.py \
    tests/web/test_traffic.py tests/hosts/test_limits.py tests/hosts/test_migrations.py \
    tests/stores/test_schema.py tests/stores/test_sql_batches.py tests/stores/test_redis_keys.py

.PHONY: help demo serve test test-all test-lowest test-newest lint docs docs-links bench bench-quick profile clean dist test-wheel sbom

help:
	@echo 'To use it:'
	@echo '  make demo         play callers against the example wallet, and check every answer (ARGS=--help)'
	@echo '  make serve        try it in a browser: phone, console, operator (PORT=$(PORT))'
	@echo
	@echo 'To change it:'
	@echo '  make test         run the tests that are quick and need no service, in one to two minutes'
	@echo '  make test-all     run all tests (ARGS="tests/example -k phone" goes to pytest in each of them)'
	@echo '  make test-lowest  run some of them with the lowest versions of all libraries, in a minute'
	@echo '  make test-newest  run the quick ones with the newest versions'
	@echo '  make lint         check format, style, types, layers, weak code, secrets and words'
	@echo '  make docs         build the site of the documentation into docs/_build/html, and check it'
	@echo '  make docs-links   look whether the links to other sites still work; needs the network'
	@echo '  make bench        compare it, under load, with bare Flask, in 10 minutes (ARGS=--help)'
	@echo '  make bench-quick  the same on fewer stores and for less time, in 2 minutes'
	@echo '  make profile      show where the time of a send and a verify goes (ARGS=--help)'
	@echo '  make clean        remove .venv, caches and what builds leave behind; instance/ stays'
	@echo
	@echo 'To publish it:'
	@echo '  make dist         build the sdist, and from it the wheel, into dist/'
	@echo '  make test-wheel   run the quick tests with the wheel of dist/ in an environment of its own'
	@echo '  make sbom         write what the wheel of dist/ depends on to sbom/, as CycloneDX'

demo:
	@sh tools/venv.sh demo
	@.venv/bin/python -m example_app.demo $(ARGS)

serve:
	@sh tools/venv.sh demo
	@echo 'A trial in the browser, for this machine only. Stop it by Ctrl-C.'
	@echo '  phone     http://127.0.0.1:$(PORT)/phone'
	@echo '  console   http://127.0.0.1:$(PORT)/console'
	@echo '  operator  http://127.0.0.1:$(PORT)/operator'
	@.venv/bin/python -m flask --app example_app run --port $(PORT) \
	|| { echo 'If the port is taken, take another one: make serve PORT=5001'; exit 1; }

# Python may write bytecode: so pytest keeps the tests that it has rewritten, and a second run starts sooner.
test:
	@sh tools/venv.sh test
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n auto --dist worksteal -m 'not slow and not server' $(ARGS)

# Tests of one module run in one process: many share a server that their module starts. By default xdist
# begins with the modules of most tests; those of few tests take longest, and would be waited for.
test-all:
	@sh tools/venv.sh test
	@.venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-lowest:
	@sh tools/venv.sh lowest
	@.venv-lowest/bin/python -m pytest -n auto --dist worksteal $(or $(ARGS),$(LOWEST))

test-newest:
	@sh tools/venv.sh newest
	@.venv-newest/bin/python -m pytest -n auto --dist worksteal -m 'not slow and not server' $(ARGS)

# proselint reads code in pages too: checks that find faults in code, in names (waitress) and in straight
# quotes are off in tools/proselint.json. Sentences and our own words are checked by tests/test_prose.py.
lint:
	@sh tools/venv.sh test
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports
	.venv/bin/bandit -q -c pyproject.toml -r flask_otp_mpp example_app tools deploy
	sh tools/secrets.sh
	.venv/bin/codespell
	.venv/bin/proselint check --config tools/proselint.json $$(find . -name '*.md' ! -path './.*' ! -path './docs/_build/*')

# A warning is an error: a link or anchor that leads nowhere, a page that no list names, an unknown name.
# Links to other sites are not followed: make docs-links does it, and needs the network.
docs:
	@sh tools/venv.sh docs
	@$(SPHINX) -b html docs docs/_build/html $(ARGS)
	@echo 'The site is in docs/_build/html/index.html'

docs-links:
	@sh tools/venv.sh docs
	@$(SPHINX) -b linkcheck docs docs/_build/links $(ARGS)

bench:
	@sh tools/venv.sh bench
	@.venv/bin/python -m benchmarks load $(ARGS)

bench-quick:
	@sh tools/venv.sh bench
	@.venv/bin/python -m benchmarks load --quick $(ARGS)

profile:
	@sh tools/venv.sh bench
	@.venv/bin/python -m benchmarks profile $(ARGS)

dist:
	@sh tools/wheel.sh build

test-wheel:
	@sh tools/wheel.sh test $(ARGS)

sbom:
	@sh tools/wheel.sh sbom

clean:
	rm -rf .venv .venv-* build dist sbom docs/_build htmlcov *.egg-info .coverage* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
