#!/bin/sh
# Looks for secrets in the files of the repository, offline; make lint runs it.
#
# A line that holds none, but looks like it, gets the comment "pragma: allowlist secret - reason".
set -eu
cd "${0%/*}/.."

# tests/vectors: throw-away keys, generated for the tests; its README says so.
# HexHighEntropyString: digests, ids and revisions are in every second test.
# The lines are first lines of keys without a key behind them, and a list of bandit's rules.
# The words are the texts that documentation and tests use as passwords: nobody has them. The names
# of files and the places of a template hold no secret either.
find .ci .github .pre-commit-config.yaml benchmarks deploy docs example_app flask_otp_mpp tests tools ./*.* Makefile LICENSE \
    -type f ! -path 'tests/vectors/*' ! -path 'docs/_build/*' ! -name '*.pyc' -print0 |
    xargs -0 .venv/bin/detect-secrets-hook --no-verify \
        --disable-plugin HexHighEntropyString \
        --exclude-lines 'PRIVATE KEY( BLOCK)?-----("|.n("|QUJD))|"B105", "B107"' \
        --exclude-secrets '^(password|secret|pw|s3cr3t)$|hunter2|canary|^very$|^very@secret|^a secret (of the host|that only)|^[a-z-]+\.pem$|^\{\{'
