"""nginx before ingest and broker processes, from the template that production uses."""

import re
import resource
import signal
import string
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError
from deploy.local.node import TEMPLATES, program
from deploy.local.process import Process, is_free, spawn
from deploy.local.waiting import wait_until

SITE: Final = Path(__file__).parents[1] / "nginx" / "groundswell.conf.template"
START_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0
ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
# Short: a server that was restarted gets requests again after 2 s.
FAILURES: Final = "max_fails=1 fail_timeout=2s"


def render_site(*, listen: str, ingest: Sequence[str], brokers: Sequence[str]) -> str:
    """Return the configuration of the site for addresses written `host:port`.

    Raises:
        StackError: a list is empty, or an address is none.
    """
    for address in [listen, *ingest, *brokers]:
        if not ADDRESS.fullmatch(address):
            raise StackError(f"{address!r} is not an address like 127.0.0.1:8080")
    if not ingest or not brokers:
        raise StackError("nginx needs at least one ingest and one broker address")
    values = {
        "LISTEN": listen,
        "INGEST_SERVERS": "\n    ".join(f"server {each} {FAILURES};" for each in ingest),
        "BROKER_SERVERS": "\n    ".join(f"server {each} {FAILURES};" for each in brokers),
    }
    # nginx has variables of its own, $name: only ${NAME} in capitals is ours.
    return re.sub(r"\$\{([A-Z_]+)\}", lambda match: values[match[1]], SITE.read_text())


class Nginx:
    """One nginx, with all of its files in `folder`. It outlives the process that started it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "nginx.log"
        self._config = self.folder / "nginx.conf"
        self._pid_file = self.folder / "nginx.json"

    def configure(
        self, *, listen: str, ingest: Sequence[str], brokers: Sequence[str], workers: int = 1
    ) -> None:
        """Write the configuration and have nginx check it; one that runs takes it over.

        Raises:
            StackError: nginx is missing or finds a mistake.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "temp").mkdir(exist_ok=True)
        site = render_site(listen=listen, ingest=ingest, brokers=brokers)
        (self.folder / "groundswell.conf").write_text(site)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        main = string.Template((TEMPLATES / "nginx.conf").read_text())
        self._config.write_text(
            main.substitute(home=self.folder, workers=workers, files=files, connections=files - 64)
        )
        done = subprocess.run(  # noqa: S603 -- nginx checks its configuration
            [*self._command(), "-t"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StackError(f"nginx refuses its configuration:\n{done.stderr}")
        if process := Process.load(self._pid_file):
            process.send(signal.SIGHUP)

    def start(self) -> None:
        """Start nginx, if it does not run, and return once it listens.

        Raises:
            StackError: it was never configured, its port is taken, or it does not start.
        """
        if self.pid() is not None:
            return
        host, port = self._listen()
        if not is_free(host, port):
            raise StackError(f"nginx: somebody else listens on {host}:{port}")
        spawn(self._command(), log=self.log, environment={}).save(self._pid_file)
        up = wait_until(
            lambda: self.pid() is None or not is_free(host, port), seconds=START_SECONDS
        )
        if not up or self.pid() is None:
            raise StackError(f"nginx does not listen on {host}:{port}; see {self.log}")

    def stop(self) -> None:
        """End nginx and the connections through it; return once it is gone."""
        process = Process.load(self._pid_file)
        if process is None:
            return
        process.send(signal.SIGTERM)
        if not wait_until(lambda: not process.is_alive(), seconds=STOP_SECONDS):
            process.send(signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """Return the pid of the master process, None if nginx does not run."""
        process = Process.load(self._pid_file)
        return process.pid if process else None

    def _command(self) -> list[str]:
        return [program("nginx"), "-p", str(self.folder), "-c", str(self._config)]

    def _listen(self) -> tuple[str, int]:
        try:
            site = (self.folder / "groundswell.conf").read_text()
        except FileNotFoundError:
            raise StackError(f"no nginx is configured in {self.folder}") from None
        match = re.search(rf"^    listen {ADDRESS.pattern};", site, re.MULTILINE)
        if match is None:
            raise StackError(f"{self.folder}/groundswell.conf listens on no plain address")
        return match["host"], int(match["port"])
