"""Alembic's migrations of the accounts database; run by `groundswell.accounts.migrate`."""
