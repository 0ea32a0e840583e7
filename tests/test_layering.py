"""Arrows between our packages go one way; files stay readable."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "groundswell"
ADAPTERS = {"log", "accounts", "cache"}

# What each package may import of ours, beside itself. Everything else may import all.
ALLOWED = {
    "contract": set(),
    "cext": set(),
    "filelock": set(),
    "log": {"contract", "filelock"},
    "accounts": {"contract", "filelock"},
    "cache": {"contract"},
    "ingest": {"contract", *ADAPTERS},
    "broker": {"contract", "cext", *ADAPTERS},
    "persist": {"contract", *ADAPTERS},
    "server": {"contract"},
    "web": set(),
}
LINES_MAX = 400
POLL_SECONDS_MAX = 0.05


def sources() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py*") if p.suffix in {".py", ".pyx", ".pxd"})


def imported_packages(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines():
        words = line.strip().split()
        if words[:1] in (["from"], ["import"], ["cimport"]) and len(words) > 1:
            parts = words[1].split(".")
            if parts[0] == "groundswell" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_the_architecture_allows(package: str) -> None:
    """A wrong arrow names the file that drew it."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in sources()
        if path.relative_to(ROOT).parts[0] == package
        for imported in imported_packages(path)
        if imported not in ALLOWED[package] | {package}
    ]
    assert wrong == []


def test_only_its_own_commands_import_the_bench() -> None:
    """Who serves does not pay for what measures."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.relative_to(ROOT).parts[0] != "bench" and "bench" in imported_packages(path)
    ]
    assert wrong == ["cli/bench.py", "cli/capacity.py"]


def test_the_contract_performs_no_io() -> None:
    """Nothing in it may reach a loop, a socket, a file or a thread."""
    forbidden = {"asyncio", "socket", "sqlite3", "threading", "subprocess", "aiohttp", "pathlib"}
    wrong = []
    for path in sorted((ROOT / "contract").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            wrong += [f"{path.name}: {n}" for n in names if n.split(".")[0] in forbidden]
    assert wrong == []


def test_no_file_is_too_long_to_read() -> None:
    """Past 400 lines a file wants to be two."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert not long, long


def test_tests_wait_for_conditions_and_never_for_durations() -> None:
    """A long literal in a sleep is a guess about how fast a machine is; a short one polls."""
    here = Path(__file__).parent
    wrong = [
        f"{path.relative_to(here)}:{node.lineno}"
        for path in sorted(here.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value > POLL_SECONDS_MAX
    ]
    assert wrong == []
