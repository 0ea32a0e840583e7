"""How tests get servers and give figures."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.harness.deployment import Embedded, tracebacks
from tests.faults.shim import Shim

Figure = Callable[[str, object], None]


class Deploy:
    """Starts servers that end with the test: `deploy(room_resume_window="2")`."""

    def __init__(self, folder: Path, shim_library: Path | None = None) -> None:
        self.servers: list[Embedded] = []
        self._folder = folder
        self._shim_library = shim_library
        self._stack = ExitStack()

    def __call__(
        self, *, name: str = "server", start: bool = True, shim: bool = False, **options: str
    ) -> Embedded:
        """Start a server with these options, on a data folder of its own below `name`."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        environment = {f"GROUNDSWELL_{key.upper()}": value for key, value in options.items()}
        server = Embedded(folder, options=environment)
        if shim:
            assert self._shim_library is not None
            server.shim = Shim(
                self._shim_library, watched=server.data, scratch=folder, tracing=True
            )
            self._stack.callback(server.shim.close)
        self._stack.callback(server.close)
        self.servers.append(server)
        if start:
            server.start()
        return server

    def close(self) -> None:
        """End all servers; none of them may have printed a traceback."""
        self._stack.close()
        for server in self.servers:
            found = tracebacks(server.output())
            assert not found, found[0]
