"""Alembic runs our migrations on the connection that it is given, and notes them in our table."""

from alembic import context

from flask_otp_mpp.stores.sql.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
