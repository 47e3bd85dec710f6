"""Run the migrations by Alembic on the given connection, and store the revision."""

from alembic import context

from flask_otp_mpp.stores.sql.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
