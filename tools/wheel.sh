#!/bin/sh
# Builds what is published, and looks at it as those will who install it.
#
#   sh tools/wheel.sh build        the sdist, and from it the wheel, into dist/
#   sh tools/wheel.sh test [ARGS]  the quick tests with the wheel of dist/; ARGS go to pytest
#   sh tools/wheel.sh sbom         what the wheel of dist/ depends on, as CycloneDX, into sbom/
#
# It takes $PYTHON, or else python3. Environments are made anew each time: .venv-build for the tools,
# .venv-wheel for the wheel.
set -eu
cd "${0%/*}/.."

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

fresh() {  # folder
    rm -rf "$1"
    "${PYTHON:-python3}" -m venv "$1" ||
        stop "${PYTHON:-python3} can't make environments: it must be Python 3.11 or newer, with venv."
    "$1/bin/python" -m pip -qq --disable-pip-version-check install 'pip>=25.1' # older know no groups
}

pip() {  # folder, arguments
    environment=$1
    shift
    "$environment/bin/python" -m pip -qq --disable-pip-version-check "$@"
}

# By name and not by file, or the SBOM would hold the file's path on this machine. The index is asked
# for the libraries only.
install_wheel() {  # further requirements
    [ -n "$(find dist -name '*.whl' 2>/dev/null)" ] || stop 'There is no wheel in dist/: run make dist.'
    fresh .venv-wheel
    pip .venv-wheel install --no-index --find-links dist --no-deps flask-otp-mpp
    pip .venv-wheel install -c constraints.txt "$@"
}

case ${1:-} in
    build)
        rm -rf dist
        fresh .venv-build
        pip .venv-build install --group release
        .venv-build/bin/python -m build --outdir dist
        ;;
    test)
        shift
        install_wheel 'flask-otp-mpp[google,phone]' --group demo --group test
        # The tests get a copy of everything but the package: what they import is the wheel.
        copy=$PWD/build/wheel-test
        rm -rf "$copy"
        mkdir -p "$copy"
        git ls-files -z ':!flask_otp_mpp' | xargs -0 tar -cf - | tar -xf - -C "$copy"
        python=$PWD/.venv-wheel/bin/python
        cd "$copy"
        # Those directly in tests/ compare documentation with sources, which an installation need not have.
        "$python" -m pytest -n auto --dist worksteal -m 'not slow and not server' \
            --ignore-glob='tests/test_*.py' "$@"
        ;;
    sbom)
        install_wheel flask-otp-mpp
        pip .venv-wheel uninstall -y setuptools pip # the package does not depend on them
        fresh .venv-build
        pip .venv-build install --group release
        mkdir -p sbom
        .venv-build/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type library \
            --output-reproducible --of JSON -o sbom/flask-otp-mpp.cdx.json .venv-wheel/bin/python
        ;;
    *) stop 'usage: sh tools/wheel.sh build|test|sbom' ;;
esac
