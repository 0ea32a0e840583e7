"""Which failures of the database mean "not now", and which are ours."""

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from groundswell.contract.ports.accounts import AccountsUnavailable

OUR_MISTAKES = (IntegrityError, ProgrammingError, DataError)


@contextlib.contextmanager
def unavailable_on_failure() -> Iterator[None]:
    """Raise `AccountsUnavailable` for an engine that is away, locked, full or read-only."""
    try:
        yield
    except OUR_MISTAKES:
        raise
    except DBAPIError as error:
        raise AccountsUnavailable(str(error.orig)) from error
    except PoolTimeout as error:
        raise AccountsUnavailable("every connection to the accounts database is in use") from error
    except TimeoutError as error:
        raise AccountsUnavailable("the accounts database did not answer in time") from error
    except OSError as error:
        raise AccountsUnavailable(f"cannot reach the database: {error}") from error
