"""PostgreSQL: one node with a cluster of its own, user, password and database `groundswell`."""

import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path
from typing import Final

from deploy.local.environment import ACCOUNT
from deploy.local.errors import StackError
from deploy.local.node import Node, program, receive
from deploy.local.plan import Plan

SYSTEM_USER: Final = "postgres"  # the Debian package makes it; PostgreSQL refuses to run as root
INIT_SECONDS: Final = 120.0
PROTOCOL_3: Final = 196_608


class PostgresqlNode(Node):
    """The stack's PostgreSQL."""

    engine = "postgresql"
    stop_signal = signal.SIGINT  # at SIGTERM it waits for its clients to leave

    def __init__(self, plan: Plan, *, home: Path) -> None:
        super().__init__(name="postgresql", home=home, address=plan.address("postgresql"))

    def prepare(self) -> None:
        config = self.render("postgresql.conf", {"host": self.host, "port": self.port})
        if not (self.data / "groundswell-ready").exists():
            shutil.rmtree(self.data, ignore_errors=True)  # what an interrupted start has left
            self._initialize()
        shutil.copyfile(config, self.data / "postgresql.conf")

    def command(self) -> list[str]:
        return [*_unprivileged(), server_program("postgres"), "-D", str(self.data)]

    def probe(self, connection: socket.socket) -> bool:
        """Begin a session: a server that is starting answers with an error instead of `R`."""
        body = f"user\0{ACCOUNT}\0database\0{ACCOUNT}\0\0".encode()
        connection.sendall(struct.pack(">ii", len(body) + 8, PROTOCOL_3) + body)
        return receive(connection, 1) == b"R"

    def _initialize(self) -> None:
        self.data.mkdir(mode=0o700)
        password = self.home / "password"
        password.write_text(ACCOUNT)
        if os.geteuid() == 0:
            user = pwd.getpwnam(SYSTEM_USER)
            os.chown(self.data, user.pw_uid, user.pw_gid)
            self._check_reachable()
        self._run(
            [
                *(server_program("initdb"), "-D", str(self.data), "--no-sync", "--encoding=UTF8"),
                *("--locale=C.UTF-8", f"--username={ACCOUNT}", f"--pwfile={password}"),
                *("--auth-host=scram-sha-256", "--auth-local=reject"),
            ]
        )
        single = [server_program("postgres"), "--single", "-D", str(self.data), "postgres"]
        self._run(single, given=f"CREATE DATABASE {ACCOUNT};\n")
        (self.data / "groundswell-ready").touch()

    def _check_reachable(self) -> None:
        done = subprocess.run(  # noqa: S603 -- a fixed command
            [*_unprivileged(), "/usr/bin/test", "-w", str(self.data)], check=False
        )
        if done.returncode != 0:
            raise StackError(
                f"the user {SYSTEM_USER} cannot reach {self.data}",
                hint="choose a --folder under /tmp, or open the folders above it (chmod o+x)",
            )

    def _run(self, command: list[str], *, given: str = "") -> None:
        done = subprocess.run(  # noqa: S603 -- PostgreSQL's own programs
            [*_unprivileged(), *command],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.data,
            timeout=INIT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise StackError(f"{self.name}: no database: {(done.stderr or done.stdout)[-2000:]}")


def _unprivileged() -> list[str]:
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise StackError(f"there is no user {SYSTEM_USER} to run PostgreSQL as") from None
    drop = [f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--clear-groups"]
    return [program("setpriv"), *drop]  # replaces itself by the command: the pid stays


def server_program(name: str) -> str:
    """Find a server program; Debian keeps them out of PATH, in a folder for each version."""

    def version(folder: Path) -> int:
        number = re.search(r"/(\d+)/", f"{folder}/")
        return int(number.group(1)) if number else 0

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    return program(name, folders=folders)
