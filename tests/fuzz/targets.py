"""What is fuzzed. A target joins by a line here and a folder of its name in tests/cext/corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.fuzz.connections import Connections
from tests.fuzz.frames import Frames
from tests.fuzz.requests import Requests

CORPUS = Path(__file__).parents[1] / "cext" / "corpus"


class Target(Protocol):
    """Takes any bytes; what it raises is a finding."""

    def __call__(self, data: bytes) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Row:
    """How a target is made and fuzzed."""

    make: Callable[[], Target]
    input_bytes: int  # longest input
    watched: tuple[str, ...] = ()  # Python files whose lines count as coverage, below the package
    words: str | None = None  # file of words that inputs are made of


TARGETS = {
    "frames": Row(Frames, 1_500),
    "connections": Row(Connections, 1_500),
    "requests": Row(
        Requests,
        1_000,
        (
            "broker/handshake.py",
            "broker/stream_request.py",
            "contract/position.py",
            "server/listener.py",
            "server/problems.py",
        ),
        "requests.dict",
    ),
}
