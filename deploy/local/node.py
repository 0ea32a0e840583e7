"""One node of one engine: what it needs on disk, how it is started, how to tell that it serves."""

import os
import shutil
import signal
import socket
import string
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from deploy.local.errors import StackError

TEMPLATES: Final = Path(__file__).parent / "templates"
PROBE_SECONDS: Final = 1.0  # a paused node accepts connections and never answers


class Node(ABC):
    """A node. Its files are in `home`; `prepare` makes them, and may be called at any time."""

    engine: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *, name: str, home: Path, address: tuple[str, int]) -> None:
        self.name = name
        self.home = home
        self.data = home / "data"
        self.host, self.port = address

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration, and the data folder where there is none."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the node in the foreground."""

    @abstractmethod
    def probe(self, connection: socket.socket) -> bool:
        """Ask the node in its own protocol whether it serves clients.

        Raises:
            OSError: the connection failed.
            struct.error: the answer makes no sense.
        """

    def environment(self) -> dict[str, str]:
        """Return the environment the node runs in: ours, less what would configure a JVM."""
        dropped = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"}
        return {name: value for name, value in os.environ.items() if name not in dropped}

    def is_healthy(self) -> bool:
        """Tell whether the node serves clients now; takes at most a few seconds."""
        try:
            with socket.create_connection((self.host, self.port), PROBE_SECONDS) as connection:
                return self.probe(connection)
        except (OSError, struct.error):
            return False

    def render(self, template: str, values: Mapping[str, object]) -> Path:
        """Write `home/<template>` from the template of that name; every name must have a value."""
        text = (TEMPLATES / template).read_text()
        file = self.home / template
        file.write_text(string.Template(text).substitute(values))
        return file


class JvmNode(Node):
    """A node in a JVM."""

    def jvm_flags(self, *, heap: str) -> list[str]:
        """Return the flags for the heap, and for leaving nothing outside `home` after a kill."""
        temp = self.home / "temp"  # native libraries are unpacked there
        temp.mkdir(exist_ok=True)
        return [f"-Xms{heap}", f"-Xmx{heap}", f"-Djava.io.tmpdir={temp}", "-XX:-UsePerfData"]


def receive(connection: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes.

    Raises:
        ConnectionError: the peer closed before.
    """
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += chunk
    return data


def program(name: str, *, folders: Sequence[Path] = ()) -> str:
    """Find a program, in `folders` first.

    Raises:
        StackError: it is not installed.
    """
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise StackError(
            f"{name} is not installed", hint="install the engines: python3 -m deploy.local install"
        )
    return found
