"""A stack of engines in a folder: start, stop, and what fault tests do to its nodes.

    stack = Stack(Path("/tmp/stack"), plan=Plan(kafka=3, base_port=11_000))
    stack.up()
    stack.kill("kafka-2")
    stack.start("kafka-2")
    stack.wait_healthy("kafka-2")
    stack.down(wipe=True)

The nodes outlive the process that started them: another `Stack` on the same folder finds them. A
lock on the folder lets one caller at a time start and end nodes; all methods may be called from any
thread.
"""

import fcntl
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local.environment import environment
from deploy.local.errors import StackError
from deploy.local.java import fetch_jars
from deploy.local.kafka import run_tool
from deploy.local.node import Node, program
from deploy.local.nodes import NodeStatus, make_nodes
from deploy.local.plan import Plan
from deploy.local.process import Process, is_free, spawn
from deploy.local.waiting import in_parallel, wait_until

CACHE: Final = Path(__file__).parents[2] / ".cache" / "stack"
START_SECONDS: Final = 300.0  # eight nodes on two cores: 50 s idle, some minutes when busy
STOP_SECONDS: Final = 20.0  # what a node gets to end by itself before it is killed
TOOL_SECONDS: Final = 60.0
LOG_LINES: Final = 15  # of a node that failed, in the error


def say(message: str) -> None:
    """Report progress on standard error."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 -- a command's progress


class Stack:
    """The engines of one folder. Without a `plan`, the folder's own is read.

    Raises:
        StackError: there is no plan in the folder, or it holds a stack of another one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        plan: Plan | None = None,
        cache: Path = CACHE,
        report: Callable[[str], None] = say,
    ) -> None:
        self.folder = folder.resolve()
        self._cache = cache.resolve()
        self._report = report
        self._plan_file = self.folder / "stack.json"
        if plan is None or self._plan_file.exists():
            found = Plan.load(self._plan_file)
            if plan not in (None, found):
                raise StackError(
                    f"{self.folder} holds another stack than asked for",
                    hint="end it first, with its data: python3 -m deploy.local down --wipe",
                )
            plan = found
        self.plan = plan
        self.nodes: dict[str, Node] = make_nodes(plan, folder=self.folder, cache=self._cache)

    def up(self) -> None:
        """Start every node that is not running, and wait until all of them serve.

        Raises:
            StackError: a program is missing, or a node did not come up; what runs is left running.
        """
        began = time.monotonic()
        for engine in ("kafka", "cassandra"):
            if self.plan.count(engine):
                fetch_jars(engine, cache=self._cache)  # one after the other: they share a cache
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self.plan.save(self._plan_file)
            in_parallel(self._start, self.nodes)
        self._wait_healthy(self.nodes, seconds=START_SECONDS)
        self._report(f"all {len(self.nodes)} nodes up after {time.monotonic() - began:.1f} s")

    def down(self, *, wipe: bool = False) -> None:
        """End every node, and with `wipe` remove the folder. A stack that is down stays so."""
        with self._locked():
            in_parallel(self._stop, self.nodes)
            if wipe:
                shutil.rmtree(self.folder)

    def start(self, name: str) -> None:
        """Start a node that is not running; return without waiting until it serves."""
        with self._locked():
            self._start(name)

    def stop(self, name: str) -> None:
        """Ask a node to end, kill it if it does not, and return once it is gone."""
        with self._locked():
            self._stop(name)

    def kill(self, name: str) -> None:
        """Kill a node with SIGKILL, as a crash would, and return once it is gone."""
        with self._locked():
            self._kill(name)

    def pause(self, name: str) -> None:
        """Freeze a node: its connections stay open and nothing answers."""
        self._running(name).send(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused node run on."""
        self._running(name).send(signal.SIGCONT)

    def wait_healthy(self, name: str, *, seconds: float = START_SECONDS) -> None:
        """Wait until a node serves clients.

        Raises:
            StackError: it does not run, or the time is over; the message ends with its log.
        """
        self._wait_healthy([name], seconds=seconds)

    def pid(self, name: str) -> int | None:
        """Return the pid of a node, None if it does not run."""
        process = self._process(name)
        return process.pid if process else None

    def log(self, name: str) -> Path:
        """Return the file that a node's output is appended to."""
        return self.folder / "logs" / f"{self._node(name).name}.log"

    def status(self) -> list[NodeStatus]:
        """Return the state of every node, as found now."""
        return [NodeStatus.of(node, self._process(name)) for name, node in self.nodes.items()]

    def addresses(self, engine: str) -> list[tuple[str, int]]:
        """Return the addresses of an engine's nodes, in order."""
        return self.plan.addresses(engine)

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which a server uses this stack."""
        return environment(self.plan)

    def kafka_tool(self, main: str, *arguments: str, seconds: float = TOOL_SECONDS) -> str:
        """Run one of Kafka's main classes against this stack and return its output.

        `stack.kafka_tool("org.apache.kafka.tools.TopicCommand", "--delete", "--topic", "events")`

        Raises:
            StackError: the tool failed, or took longer than `seconds`.
        """
        return run_tool(
            main,
            arguments,
            servers=self.plan.addresses("kafka"),
            cache=self._cache,
            seconds=seconds,
        )

    def _start(self, name: str) -> None:
        node = self._node(name)
        if self.pid(name) is not None:
            return
        if not is_free(node.host, node.port):
            raise StackError(
                f"{name}: somebody else listens on {node.host}:{node.port}",
                hint="choose other ports: --base-port",
            )
        for folder in (node.home, self.log(name).parent, self._pid_file(name).parent):
            folder.mkdir(exist_ok=True)
        node.prepare()
        pinned = self.plan.pinned(name)
        pin = [program("taskset"), "--cpu-list", pinned] if pinned else []
        command = [*pin, *node.command()]
        process = spawn(command, log=self.log(name), environment=node.environment())
        process.save(self._pid_file(name))
        self._report(f"{name}: started as {process.pid} on {node.host}:{node.port}")

    def _stop(self, name: str) -> None:
        process = self._process(name)
        if process is None:
            return
        process.send(self._node(name).stop_signal)
        process.send(signal.SIGCONT)  # a paused node could not act on the signal
        if not wait_until(lambda: not process.is_alive(), seconds=STOP_SECONDS):
            self._report(f"{name}: did not end within {STOP_SECONDS:.0f} s, killed")
            self._kill(name)
        self._pid_file(name).unlink(missing_ok=True)
        self._report(f"{name}: down")

    def _kill(self, name: str) -> None:
        process = self._process(name)
        if process is None:
            return
        process.send(signal.SIGKILL)
        if not wait_until(lambda: not process.is_alive(), seconds=STOP_SECONDS):
            raise StackError(f"{name}: process {process.pid} does not die")
        self._pid_file(name).unlink(missing_ok=True)

    def _wait_healthy(self, names: Iterable[str], *, seconds: float) -> None:
        began = time.monotonic()
        waiting = dict.fromkeys(names)

        def all_serve() -> bool:
            for name in list(waiting):
                if self.pid(name) is None:
                    raise StackError(f"{name}: does not run; {self._log_end(name)}")
                if self._node(name).is_healthy():
                    del waiting[name]
                    self._report(f"{name}: serves after {time.monotonic() - began:.1f} s")
            return not waiting

        if not wait_until(all_serve, seconds=seconds):
            name = next(iter(waiting))
            raise StackError(f"{name}: does not serve after {seconds:.0f} s; {self._log_end(name)}")

    def _node(self, name: str) -> Node:
        try:
            return self.nodes[name]
        except KeyError:
            known = ", ".join(self.nodes)
            raise StackError(f"no node is called {name!r}; there are {known}") from None

    def _pid_file(self, name: str) -> Path:
        return self.folder / "pids" / f"{self._node(name).name}.json"

    def _process(self, name: str) -> Process | None:
        return Process.load(self._pid_file(name))

    def _running(self, name: str) -> Process:
        process = self._process(name)
        if process is None:
            raise StackError(f"{name}: does not run")
        return process

    def _log_end(self, name: str) -> str:
        log = self.log(name)
        if not log.exists():
            return "it has no log"
        lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"the end of {log}:", *lines])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
