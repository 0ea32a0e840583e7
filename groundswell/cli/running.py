"""What the commands that run a server have in common."""

import os

from groundswell.contract.settings import Settings


def run(settings: Settings) -> int:
    """Serve until told to stop: alone, as one of several workers, or as their parent."""
    from groundswell.supervisor.worker import Worker
    from groundswell.telemetry.logging import configure

    configure(settings.telemetry)
    worker = Worker.of(os.environ)
    if worker is None and settings.server.workers > 1:
        from groundswell.roles.preparation import prepared
        from groundswell.supervisor.supervisor import supervise

        return supervise(prepared(settings))
    from groundswell.roles import serve

    return serve(settings) if worker is None else worker.run(serve, settings)
