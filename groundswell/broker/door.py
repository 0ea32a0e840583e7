"""The door of the native plane: connections come from the hub with their first bytes.

    listening socket -> cext/hub/door.c -> NativePlane -> Door.arrived -> a stream, or aiohttp

A stream request that nothing is wrong with is answered here, from the head of the request to the
first frames of its room in one write. All else goes to aiohttp with the bytes that were read.
"""

import os
import socket
from collections.abc import Callable, Sequence

from groundswell.broker.handshake import Handshake
from groundswell.broker.native_plane import NativePlane
from groundswell.broker.plane import DoorStatistics, Variant
from groundswell.broker.stream_request import StreamRequest
from groundswell.cext._request import parse_stream_request
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.problems import Refused

OriginOfPeer = Callable[[str, str | None, str | None], Origin]
"""`(peer's address, X-Forwarded-For, X-Request-Id) -> Origin`."""


class Door:
    """Serves listening sockets. `open`, then `close`; `arrived` is the plane's to call."""

    def __init__(
        self,
        *,
        plane: NativePlane,
        handshake: Handshake,
        uplink: Uplink,
        origin_of_peer: OriginOfPeer,
    ) -> None:
        self._plane = plane
        self._handshake = handshake
        self._uplink = uplink
        self._origin_of_peer = origin_of_peer
        self._otherwise: Callable[[int, bytes], None] = _refuse
        self._streams = 0

    def open(
        self,
        sockets: Sequence[socket.socket],
        *,
        otherwise: Callable[[int, bytes], None],
        patience: float,
        too_late: bytes,
    ) -> None:
        """Accept connections of these sockets, which stay the caller's.

        `otherwise` gets the descriptor and first bytes of each that does not become a stream.
        Who says nothing for `patience` seconds is sent `too_late`.
        """
        self._otherwise = otherwise
        for listening in sockets:
            self._plane.listen(listening, self.arrived, patience=patience, too_late=too_late)

    def close(self) -> None:
        """Accept nobody any more. Again: nothing."""
        self._plane.stop_listening()

    def arrived(self, fd: int, peer: str, data: bytes) -> None:
        """Take a connection whose client has spoken."""
        if not self._begin(fd, peer, data):
            self._otherwise(fd, data)

    def statistics(self) -> DoorStatistics:
        """Return the counters."""
        accepted, failures = self._plane.accepted()
        return DoorStatistics(accepted=accepted, streams=self._streams, accept_failures=failures)

    def _begin(self, fd: int, peer: str, data: bytes) -> bool:
        parsed = parse_stream_request(data)
        if parsed is None:
            return False
        video_id, position, leftover, fields = parsed
        asked = StreamRequest(video_id, position, *fields)
        if not self._uplink.knows_video(video_id):
            return False
        try:
            opening = self._handshake.open(asked)
        except Refused:
            return False  # aiohttp's answer says why
        if leftover and opening.variant is Variant.SSE:
            return False  # another request
        origin = self._origin_of_peer(peer, asked.forwarded_for, asked.request_id)
        self._streams += 1
        self._plane.adopt_socket(
            fd,
            variant=opening.variant,
            head=opening.head,
            leftover=leftover,
            auth_within=opening.auth_within,
            deflate=opening.deflate,
            begin=self._handshake.beginning(video_id, opening, origin),
        )
        return True


def _refuse(fd: int, data: bytes) -> None:
    os.close(fd)
