"""Alembic runs this for every command; the connection comes from `groundswell.accounts.migrate`."""

from alembic import context

from groundswell.accounts.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # All or nothing, on SQLite too: see `accounts/engine.py` on its transactions.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
