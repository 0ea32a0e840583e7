"""What a process makes and decides before it opens anything: folder, secrets, where to listen."""

from dataclasses import replace
from pathlib import Path

import structlog

from groundswell.contract.settings import Settings
from groundswell.failures import StartFailed
from groundswell.secrets import development_secret

log = structlog.get_logger(__name__)


def prepared(settings: Settings) -> Settings:
    """Make the data folder, fill in secrets of its own, and decide where to listen.

    Where nobody set a secret, the development secret is one that everybody on this machine can
    read out of the page of a guest: so only this machine is served.
    """
    data = Path(settings.server.data)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(
            f"cannot make the data folder {str(data)!r}: {error.strerror}; see --data"
        ) from error
    auth, ids, server = settings.auth, settings.ids, settings.server
    own_keys = bool(auth.secret or auth.keys)
    if not own_keys:
        auth = replace(auth, secret=development_secret(data, "auth.secret"))
        log.warning(
            "no token secret is set: using the development secret of the data folder and "
            "listening on loopback only; set auth.secret or auth.keys to serve others"
        )
    if not ids.secret:
        if settings.log.engine != "sqlite":
            raise StartFailed(
                "ids.secret is not set: every process of a cluster needs the same one, for good; "
                "make one with `openssl rand -hex 24`"
            )
        ids = replace(ids, secret=development_secret(data, "ids.secret"))
    if not server.host:
        server = replace(server, host="0.0.0.0" if own_keys else "127.0.0.1")  # noqa: S104 - asked
    return replace(settings, auth=auth, ids=ids, server=server)
