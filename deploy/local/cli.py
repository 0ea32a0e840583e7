"""The command `python3 -m deploy.local`."""

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.java import fetch_jars
from deploy.local.nginx import Nginx
from deploy.local.packages import install, missing, packages_for
from deploy.local.plan import DEFAULT_BASE_PORT, ENGINES, MOST_NODES, Plan
from deploy.local.stack import CACHE, Stack, say

NODE_COMMANDS = {
    "start": "start a node and wait until it serves",
    "stop": "end a node politely",
    "kill": "kill a node with SIGKILL",
    "pause": "freeze a node with SIGSTOP",
    "resume": "let a paused node run on",
}
MIB = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, or 1 with the error on standard error."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except StackError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; `down` ends what was started")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m deploy.local",
        description="Kafka, Cassandra, Redis and PostgreSQL on this machine, without containers.",
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("GROUNDSWELL_STACK_FOLDER") or CACHE / "run"),
        help="where the stack lives (GROUNDSWELL_STACK_FOLDER; default: %(default)s)",
    )
    where.add_argument(
        "--cache",
        type=Path,
        default=Path(os.environ.get("GROUNDSWELL_STACK_CACHE") or CACHE),
        help="where jars are kept (GROUNDSWELL_STACK_CACHE; default: %(default)s)",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[where], help=text, description=text)

    command("install", "install what is missing: Debian packages and jars").set_defaults(
        run=_install
    )
    _add_up(command("up", "start every node that is down and wait until all serve"))
    down = command("down", "end every node")
    down.add_argument("--wipe", action="store_true", help="remove the folder with all data")
    down.set_defaults(run=lambda given: _stack(given).down(wipe=given.wipe))
    command("status", "show state, memory and log of every node").set_defaults(run=_status)
    command("env", "print the exports by which a server uses the stack").set_defaults(run=_env)
    for name, text in NODE_COMMANDS.items():
        node = command(name, text)
        node.add_argument("node", help="kafka-1, cassandra-1, ..., redis, postgresql")
        node.set_defaults(run=_on_node, action=name)
    tool = command("kafka-tool", "run one of Kafka's main classes against the stack")
    tool.add_argument("main", help="such as org.apache.kafka.tools.TopicCommand")
    tool.add_argument("arguments", nargs=argparse.REMAINDER)
    tool.set_defaults(run=_kafka_tool)
    _add_nginx(command("nginx", "start nginx before server processes, or with --stop end it"))
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    for engine in ENGINES:
        parser.add_argument(
            f"--{engine}",
            type=int,
            metavar="NODES",
            help=f"nodes, 0 to {MOST_NODES[engine]} (default: 1)",
        )
    parser.add_argument(
        "--base-port",
        type=int,
        metavar="PORT",
        help=f"added to each well-known port (default: {DEFAULT_BASE_PORT})",
    )
    parser.add_argument(
        "--cpus",
        action="append",
        type=_cpus,
        metavar="NAME=LIST",
        help="pin an engine or a node to processors: kafka=1, cassandra-2=0,2-3; may be repeated",
    )
    parser.set_defaults(run=_up)


def _add_nginx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8000")
    for role in ("ingest", "broker"):
        parser.add_argument(
            f"--{role}",
            action="append",
            default=[],
            metavar="HOST:PORT",
            help=f"public address of a process with the role {role}; may be repeated",
        )
    parser.add_argument("--stop", action="store_true", help="end it")
    parser.set_defaults(run=_nginx)


def _cpus(text: str) -> tuple[str, str]:
    name, equals, processors = text.partition("=")
    if not (name and equals and processors):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=LIST")
    return name, processors


def _stack(given: argparse.Namespace) -> Stack:
    return Stack(given.folder, cache=given.cache)


def _install(given: argparse.Namespace) -> None:
    install(missing(), report=say)
    for engine in ("kafka", "cassandra"):
        say(f"{engine}: {fetch_jars(engine, cache=given.cache)}")


def _up(given: argparse.Namespace) -> None:
    options = {name: getattr(given, name) for name in (*ENGINES, "base_port")}
    chosen = {name: value for name, value in options.items() if value is not None}
    if given.cpus:
        chosen["cpus"] = dict(given.cpus)
    # Without options, the folder's own plan counts, and only a new folder gets the default one.
    fresh = not (given.folder / "stack.json").exists()
    plan = Plan(**chosen) if chosen or fresh else None
    stack = Stack(given.folder, plan=plan, cache=given.cache)
    install(missing(packages_for(stack.plan, cache=given.cache)), report=say)
    stack.up()


def _status(given: argparse.Namespace) -> None:
    stack = _stack(given)
    for node in stack.status():
        pid = f"pid {node.pid}" if node.pid else ""
        memory = f"{node.memory / MIB:.0f} MiB" if node.memory else ""
        _print(
            f"{node.name:12} {node.state:9} {node.address:16} {memory:>9} "
            f" {pid:12} {stack.log(node.name)}"
        )


def _env(given: argparse.Namespace) -> None:
    for name, value in _stack(given).environment().items():
        _print(f"export {name}={shlex.quote(value)}")


def _kafka_tool(given: argparse.Namespace) -> None:
    _print(_stack(given).kafka_tool(given.main, *given.arguments).rstrip("\n"))


def _on_node(given: argparse.Namespace) -> None:
    stack = _stack(given)
    getattr(stack, given.action)(given.node)
    if given.action == "start":
        stack.wait_healthy(given.node)


def _nginx(given: argparse.Namespace) -> None:
    nginx = Nginx(given.folder / "nginx")
    if given.stop:
        nginx.stop()
        return
    install(missing(["nginx"]), report=say)
    nginx.configure(listen=given.listen, ingest=given.ingest, brokers=given.broker)
    nginx.start()
    say(f"nginx: http://{given.listen}, pid {nginx.pid()}, log {nginx.log}")


def _print(line: str) -> None:
    print(line)  # noqa: T201 -- what was asked for
