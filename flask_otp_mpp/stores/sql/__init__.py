"""The SQL store: SQLite, PostgreSQL, MySQL and MariaDB."""
