"""What the two Django projects have in common: settings as Django's documentation recommends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

_WRITE_AHEAD: Final = "PRAGMA journal_mode=WAL"


def set_up(settings: Mapping[str, str], apps: Sequence[str], **more: Any) -> None:
    """Configure Django and load its apps; a process can have one project.

    :param settings: BENCH_STORE is a SQLAlchemy URL.
    """
    import django  # noqa: PLC0415 - only a process that serves a Django project needs it
    from django.conf import settings as django_settings  # noqa: PLC0415

    django_settings.configure(
        SECRET_KEY="k" * 50,
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": database(settings["BENCH_STORE"])},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="benchmarks.others.outbox.EmailBackend",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", *apps],
        MIGRATION_MODULES=NoMigrations(),
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        USE_TZ=True,
        **more,
    )
    django.setup()


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of a database.

    Connections stay open as long as their thread. SQLite has a write-ahead log, and transactions
    that take the write lock at once; its commits wait for the disk, as they do by default.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        options = {"transaction_mode": "IMMEDIATE", "init_command": _WRITE_AHEAD, "timeout": 5}
        engine, name = "sqlite3", parsed.database
    else:
        options = {name: str(value) for name, value in parsed.query.items()}
        engine, name = "postgresql", parsed.database
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": name,
        "USER": parsed.username or "",
        "PASSWORD": parsed.password or "",
        "HOST": parsed.host or "",
        "PORT": str(parsed.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": None,
    }


def create_tables() -> None:
    """Create the tables of all models, without the history of migrations."""
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", run_syncdb=True, verbosity=0)


class NoMigrations:
    """Says of every app that it has no migrations, so that its tables are made at once."""

    def __contains__(self, app: object) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None
