"""The versions of libraries, drivers and databases: of those that can be measured here.

Python's own version is above each table of the pages.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import redis
import sqlalchemy as sa

from benchmarks.empty_stores import available, empty_store
from benchmarks.report import Report, Table

LIBRARIES: Final = {
    "the package and the floor": (
        *("gunicorn", "Flask", "Werkzeug", "Flask-Limiter", "SQLAlchemy", "cryptography"),
    ),
    "drivers": ("psycopg", "PyMySQL", "redis", "hiredis"),
    "other libraries": ("Django", "django-otp", "django-allauth", "Flask-Security"),
}
DATABASES: Final = {
    "sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB", "redis": "Redis",
}  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: none of its own."""


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    found = {
        what: [f"{name} {version(name)}" for name in names] for what, names in LIBRARIES.items()
    }
    found["databases"] = [f"{DATABASES[kind]} {_served(kind)}" for kind in available(DATABASES)]
    rows = [(what, ", ".join(versions)) for what, versions in found.items()]
    return Report("versions", [Table("Versions", ("what", "versions"), rows)])


def _served(kind: str) -> str:
    """Return the version of a database, as its server says it."""
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as folder,
        empty_store(kind, Path(folder)) as url,
    ):
        if kind == "redis":
            client: Any = redis.Redis.from_url(url)
            try:
                return str(client.info("server")["redis_version"])
            finally:
                client.close()
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as db:
            return ".".join(map(str, db.dialect.server_version_info or ()))
