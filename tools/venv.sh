#!/bin/sh
# Makes .venv with what the demo needs, or the tests and checks, or the benchmarks, or the site of the
# documentation; .venv-lowest with the lowest versions of the libraries, and .venv-newest with the
# newest, to run the tests with.
#
#   sh tools/venv.sh demo|test|bench|docs|lowest|newest
#
# It takes $PYTHON, or else the first Python of 3.11 or newer that it finds, and installs by uv if
# there is one, by pip otherwise. Repeated, it only looks whether anything has changed.
set -eu

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

purpose=${1:-}
venv=.venv
constraints=constraints.txt
case $purpose in
    demo) groups='--group demo' ;;
    test) groups='--group demo --group test --group openapi --group lint --group bench --group docs' ;;
    bench) groups='--group demo --group bench' ;;
    docs) groups='--group docs' ;;
    lowest) groups='--group demo --group test' venv=.venv-lowest constraints=constraints-lowest.txt ;;
    newest) groups='--group demo --group test' venv=.venv-newest constraints=/dev/null ;;
    *) stop 'usage: sh tools/venv.sh demo|test|bench|docs|lowest|newest' ;;
esac
case $0 in
    */*) cd "${0%/*}/.." ;;
    *) cd .. ;;
esac

# Names are not enough: pyenv has names that lead nowhere. The Python under an activated
# environment is taken, since that environment may be the one that is to be replaced.
if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.14 python3.13 python3.12 python3.11
fi
python=
for name in "$@"; do
    python=$("$name" -c 'import sys
if sys.version_info >= (3, 11):
    print(getattr(sys, "_base_executable", sys.executable))' 2>/dev/null) || python=
    if [ -n "$python" ]; then break; fi
done
[ -n "$python" ] || stop \
    "No Python of 3.11 or newer was found; looked for: $*" \
    'Get one by: apt install python3 python3-venv (Debian, Ubuntu), or from www.python.org.' \
    'If it is elsewhere, name it: PYTHON=/path/to/python3 make demo'

# Nothing is to be done if Python, place and requirements are what they were.
base=$("$python" -c 'import os, sys; print(sys.version.split()[0], sys.prefix, os.getcwd())')
made_of="$base $(cat pyproject.toml "$constraints" | cksum)"
is_for() { [ -f "$venv/made-for-$1" ] && [ "$(cat "$venv/made-for-$1")" = "$made_of" ]; }
if [ -x $venv/bin/python ] && { is_for "$purpose" || is_for test; }; then exit 0; fi

if command -v uv >/dev/null 2>&1; then uv=yes; else uv=no; fi
if [ $uv = no ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    stop "$python can't make environments: it has no venv module." \
        'Get it by: apt install python3-venv (Debian, Ubuntu), or install uv.'
fi
if [ -e "$venv" ] && [ ! -e $venv/pyvenv.cfg ]; then
    stop "$venv is in the way: it is no virtual environment. Move it elsewhere."
fi

echo "Making $venv for $purpose with Python ${base%% *}; this may take a minute ..."
if [ ! -x $venv/bin/python ] || [ "$(cat $venv/made-with 2>/dev/null)" != "$base" ]; then
    rm -rf "$venv"
    if [ $uv = yes ]; then
        uv venv --quiet --python "$python" "$venv"
    else
        "$python" -m venv "$venv"
    fi
    echo "$base" >$venv/made-with
fi
# shellcheck disable=SC2086 # the groups are words
if [ $uv = yes ]; then
    uv pip install --quiet --python $venv/bin/python -c "$constraints" -e '.[google,phone]' $groups
else
    pip="$venv/bin/python -m pip -qq --disable-pip-version-check"
    $pip install 'pip>=25.1' # older ones know no groups
    $pip install -c "$constraints" -e '.[google,phone]' $groups
fi || stop 'The packages could not be installed; see above for why. Is the network reachable?'
echo "$made_of" >"$venv/made-for-$purpose"
