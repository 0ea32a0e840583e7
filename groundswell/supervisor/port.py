"""The public port: whether there is one, and holding it for the workers."""

import contextlib
import errno
import socket
from collections.abc import Iterator

from groundswell.contract.settings import Settings
from groundswell.failures import StartFailed


def has_public_port(settings: Settings) -> bool:
    """Tell whether these roles serve anybody; `persist` alone does not."""
    return not {"ingest", "broker"}.isdisjoint(settings.server.roles)


@contextlib.contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Hold `port`, or a free one for 0, inside the block, and return its number.

    Workers listen on it with SO_REUSEPORT. We only bind it: who binds and does not listen gets no
    connections, but the port stays ours while no worker runs. Raises `StartFailed`.
    """
    with contextlib.ExitStack() as held:
        try:
            for family, kind, protocol, _, address in socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            ):
                at = (address[0], port, *address[2:])
                if port:
                    # With SO_REUSEPORT alone we would quietly share it with another server of the
                    # same user.
                    with _socket(family, kind, protocol) as probe:
                        probe.bind(at)
                holder = held.enter_context(_socket(family, kind, protocol))
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                holder.bind(at)
                port = holder.getsockname()[1]
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartFailed(
                    f"port {port} is taken by another program: see --port and `groundswell doctor`"
                ) from error
            reason = error.strerror or error
            raise StartFailed(f"cannot listen on {host} port {port}: {reason}") from error
        yield port


def _socket(family: int, kind: int, protocol: int) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as asyncio's servers do
    return made
