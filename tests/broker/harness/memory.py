"""A plane whose connections are clients in memory, and what they would show."""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

from groundswell.broker.frames import Frame
from groundswell.broker.ring import Ring
from groundswell.contract.close_codes import CloseCode


class Client:
    """What a page would show, and every payload that it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.position: str | None = None
        self.shown: list[str] = []  # comment ids
        self.closed: CloseCode | None = None

    def take(self, frame: Frame) -> None:
        message = json.loads(frame.payload)
        self.sent.append(message)
        if message["type"] == "welcome" and not message["recovered"]:
            self.shown = [comment["commentID"] for comment in message["comments"]]
        for comment in message.get("comments", ()) if message["type"] == "update" else ():
            assert comment["commentID"] not in self.shown, "a comment came twice"
            self.shown.append(comment["commentID"])
        for event in message.get("events", ()):
            if event["commentID"] in self.shown:
                self.shown.remove(event["commentID"])
        if "position" in message:
            self.position = message["position"]

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == "update"]

    @property
    def welcomes(self) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == "welcome"]

    def texts(self) -> list[str]:
        """The texts of all comments that were sent, in order."""
        return [c["commentText"] for message in self.sent for c in message.get("comments", ())]


class FakeAudience:
    """Delivers ring frames to clients that do not stall; a pass ends at once unless held."""

    def __init__(self, plane: "FakePlane", ring: Ring, passed: Callable[[float], None]) -> None:
        self.plane = plane
        self.ring = ring
        self.passed = passed
        self.cursors: dict[int, int] = {}
        self.passes = 0

    def __len__(self) -> int:
        return len(self.cursors)

    def join(self, handle: int, cursor: int, private: Sequence[Frame]) -> None:
        client = self.plane.clients.get(handle)
        if client is None:
            return
        self.cursors[handle] = cursor
        for frame in itertools.islice(private, self.plane.private_frames):
            client.take(frame)

    def publish(self) -> None:
        self.passes += 1
        self.deliver()
        if not self.plane.holds_passes:
            self.passed(self.plane.pass_seconds)

    def deliver(self) -> None:
        for handle in list(self.cursors):
            while handle not in self.plane.stalled and self.cursors[handle] < self.ring.end:
                if self.cursors[handle] < self.ring.first:
                    self.plane.behind(handle)
                    break
                frame = self.ring[self.cursors[handle]]
                self.cursors[handle] += 1
                self.plane.clients[handle].take(frame)

    def dismiss(self, code: CloseCode) -> None:
        for handle in list(self.cursors):
            self.plane.close(handle, code)

    def dissolve(self) -> None:
        self.cursors.clear()


class FakePlane:
    """A `Plane` whose connections are clients in memory."""

    def __init__(self) -> None:
        self.clients: dict[int, Client] = {}
        self.audiences: list[FakeAudience] = []
        self.stalled: set[int] = set()
        self.holds_passes = False
        self.pass_seconds = 0.0
        self.private_frames: int | None = None  # so many reach a client that joins; None: all
        self.identified: dict[int, float | None] = {}
        self.notes: dict[int, str] = {}
        self.behind: Callable[[int], None] = lambda handle: None

    def connect(self, client: Client | None = None) -> int:
        handle = len(self.clients) + 1
        self.clients[handle] = client or Client()
        return handle

    def audience(self, ring: Ring, passed: Callable[[float], None]) -> FakeAudience:
        self.audiences.append(FakeAudience(self, ring, passed))
        return self.audiences[-1]

    def leave(self, handle: int) -> None:
        for audience in self.audiences:
            audience.cursors.pop(handle, None)

    def send(self, handle: int, frame: Frame) -> None:
        self.clients[handle].take(frame)

    def identify(self, handle: int, expires_s: float | None) -> None:
        self.identified[handle] = expires_s

    def close(self, handle: int, code: CloseCode, note: str = "") -> None:
        if self.clients[handle].closed is None:
            self.clients[handle].closed = code
            self.notes[handle] = note
        self.leave(handle)
