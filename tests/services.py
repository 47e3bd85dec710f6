"""Services that tests need: PostgreSQL, MariaDB, Redis, nginx, gpg, Node.js.

A test that needs one has the marker ``server``. Where the service is missing the test is skipped;
with OTP_MPP_TEST_REQUIRE_SERVICES=1 in the environment it fails.
"""

from __future__ import annotations

import os
import shutil
from typing import Final, NoReturn

import pytest

# Parameters of tests and fixtures, for those that run on several stores.
POSTGRESQL: Final = pytest.param("postgresql", marks=pytest.mark.server)
MYSQL: Final = pytest.param("mysql", marks=pytest.mark.server)
MARIADB: Final = pytest.param("mariadb", marks=pytest.mark.server)
REDIS: Final = pytest.param("redis", marks=pytest.mark.server)


def missing(reason: str) -> NoReturn:
    """Skip the test that asks for a service, or fail it if services are required."""
    if os.environ.get("OTP_MPP_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Return the path of a program; without it, skip the test or fail it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        missing(f"{name} is not installed")
    return found
