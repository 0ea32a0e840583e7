"""Documents say what is: generated pages are current, and what they name exists."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import click
import pytest

import groundswell
from groundswell.broker import routes as live
from groundswell.broker.plane import DoorStatistics, PlaneStatistics
from groundswell.broker.reader import ReaderStatistics
from groundswell.cache.memory import CacheStatistics
from groundswell.cache.redis_cache import RedisStatistics
from groundswell.cli import cli
from groundswell.config import docs
from groundswell.contract.close_codes import CLOSE_CODES
from groundswell.contract.problems import PROBLEMS
from groundswell.contract.statistics import GROWS
from groundswell.ingest import routes as write
from groundswell.ingest.append import AppendStatistics
from groundswell.log.control import ControlStatistics
from groundswell.log.kafka_producer import ProducerStatistics
from groundswell.log.requests import LogStatistics
from groundswell.persist.cassandra_store import CassandraStatistics
from groundswell.persist.projection import ProjectionStatistics
from groundswell.persist.sqlite_store import StoreStatistics
from groundswell.roles.durable_path import PersistLag
from groundswell.server.latency import AnswerStatistics
from groundswell.server.readiness import EngineStatistics
from groundswell.supervisor.overview import WorkersStatistics

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
STATISTICS = {
    "plane": (PlaneStatistics,),
    "door": (DoorStatistics,),
    "reader": (ReaderStatistics,),
    "persist": (ProjectionStatistics, PersistLag),
    "log": (LogStatistics, ProducerStatistics),
    "store": (StoreStatistics, CassandraStatistics),
    "cache": (CacheStatistics, RedisStatistics),
    "control": (ControlStatistics,),
    "gate": (AppendStatistics,),
    "http": (AnswerStatistics,),
    "engine": (EngineStatistics,),
    "workers": (WorkersStatistics,),
}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def console_commands(document: str) -> list[str]:
    """Return what a document tells to type, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", document, re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line[:2] == "$ "]
    return [re.sub(r"\s{2,}# .*", "", line) for line in lines]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def api_routes() -> set[tuple[str, str]]:
    """Return (method, path) of every route of the API; its handlers are never called."""
    nothing: Any = SimpleNamespace(stream=None)
    tables = [
        *write.WriteRoutes(nothing, nothing, origin_of=nothing, bodies=nothing).table(),
        *live.routes(
            handshake=nothing,
            reads=nothing,
            log=nothing,
            uplink=nothing,
            ids=nothing,
            auth_required=False,
        ),
    ]
    return {(route.method, route.path) for route in tables}


def is_route(method: str, path: str) -> bool:
    return any(
        method == known and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)
        for known, pattern in api_routes()
    )


def test_the_settings_page_is_what_config_docs_prints() -> None:
    """`make docs` was run after the last change of an option."""
    assert text_of("docs/settings.md") == docs()


def test_the_tables_of_the_protocol_are_those_of_the_contract() -> None:
    """`make docs` was run after the last change of a problem or a close code."""
    document = text_of("docs/protocol.md")
    assert document == script("protocol_tables").rendered(document)


def test_every_close_code_and_problem_is_documented_with_what_to_do() -> None:
    """A row for each, with its meaning."""
    document = text_of("docs/protocol.md")
    for code in CLOSE_CODES:
        assert re.search(
            rf"^\| {code.code} \| `{code.name}` .*{re.escape(code.meaning)}", document, re.M
        )
    for problem in PROBLEMS.values():
        assert f"| {problem.status} | `{problem.code}` | {problem.title} |" in document


def test_the_routes_of_the_protocol_are_those_of_the_server() -> None:
    """None is missing, none is invented."""
    rows = re.findall(r"^\| `(GET|POST|PUT|DELETE) (/[^`?]+)", text_of("docs/protocol.md"), re.M)
    assert set(rows) == api_routes()


def test_the_changelog_has_an_entry_of_this_version_on_top() -> None:
    """The program and the changelog agree about what is being made."""
    entries = re.findall(r"^## \[([^\]]+)\]", text_of("CHANGELOG.md"), re.M)
    assert entries[0] == groundswell.__version__


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_commands_of_a_document_are_in_the_makefile(document: Path) -> None:
    """In examples and in running text."""
    known = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M))
    text = document.read_text(encoding="utf-8")
    named = {line.split()[1] for line in console_commands(text) if line.startswith("make ")}
    named |= set(re.findall(r"`make ([a-z-]+)`", text))
    assert named <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_groundswell_commands_of_a_document_exist_with_their_options(document: Path) -> None:
    """Commands, subcommands and flags."""
    for line in console_commands(document.read_text(encoding="utf-8")):
        match = re.search(r"(?:^|[ (/])groundswell ([^)>]*)", line)
        if match is None or match[1].startswith("-"):
            continue
        command: click.Command = cli
        for word in match[1].split():
            if isinstance(command, click.Group):
                found = command.get_command(click.Context(command), word)
                assert found is not None, line
                command = found
            elif word.startswith("--"):
                flags = {flag for option in command.params for flag in option.opts}
                assert word.partition("=")[0] in flags, line


def test_the_requests_of_the_readme_name_routes_that_exist() -> None:
    """Every curl example, and the stream of the JavaScript ones."""
    readme = text_of("README.md")
    live_url = re.search(r"LIVE=http://127\.0\.0\.1:8080(\S+)", readme)
    assert live_url is not None
    requests = [line for line in console_commands(readme) if re.search(r"\bcurl ", line)]
    assert len(requests) >= 10
    for line in requests:
        path = re.search(r"\$LIVE(/[^\s\"?]+)", line)
        assert path is not None, line
        explicit = re.search(r"-X (\w+)", line)
        method = explicit[1] if explicit else "POST" if "--json" in line else "GET"
        assert is_route(method, live_url[1] + path[1].replace("$ID", "0192")), line
    stream = re.search(r"\"ws://127\.0\.0\.1:8080(\S+)\"", readme)
    assert stream is not None
    assert is_route("GET", stream[1])
    for asset in re.findall(r"http://127\.0\.0\.1:8080/assets/([\w./-]+)", readme):
        assert (ROOT / "groundswell/web/assets" / asset).is_file()


def test_every_file_of_the_map_exists() -> None:
    """Paths in the README's table are real."""
    _, _, rest = text_of("README.md").partition("## Map of the code")
    table = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    named = {path for line in table for path in re.findall(r"`([\w./-]+/[\w./-]*)`", line)}
    named = {path for path in named if not path.startswith("/")}
    assert len(named) > 30
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_files_named_in_the_threat_model_exist() -> None:
    """Its last column says where each answer is."""
    rows = re.findall(r"^\|.*\| ([^|]+) \|$", text_of("docs/threat-model.md"), re.M)
    named = [path for row in rows for path in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 10
    assert [path for path in named if not (ROOT / "groundswell" / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Files that exist, and headings that exist in them."""
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    for link in links:
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, heading = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert heading in {
                re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings
            }


@pytest.mark.parametrize("prefix", STATISTICS)
def test_every_metric_is_explained_to_operators(prefix: str) -> None:
    """And no metric is explained that there is not."""
    names = set()
    for record in STATISTICS[prefix]:
        for field, hint in get_type_hints(record, include_extras=True).items():
            if field != "projection":  # a label
                grows = GROWS in getattr(hint, "__metadata__", ())
                name = field.partition("_by_")[0]
                names.add(f"groundswell_{prefix}_{name}{'_total' if grows else ''}")
    found = set(re.findall(rf"`(groundswell_{prefix}_\w+)", text_of("docs/operations.md")))
    assert found == names
