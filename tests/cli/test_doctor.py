"""`groundswell doctor` and what it judges."""

import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from groundswell.cli import checks, cli
from groundswell.contract.clock import SystemClock


class StoppedClock(SystemClock):
    """A wall clock that says what it was told."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def wall_ms(self) -> int:
        """Return the time that it was told."""
        return self._now_ms


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 3), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_the_wal_reset_bug_is_told_by_version(
    version: tuple[int, int, int], *, affected: bool
) -> None:
    """Affected up to 3.51.2 but for two backports; a single writer keeps us out of it."""
    finding = checks.sqlite(version)
    assert finding.level == "ok"
    assert ("single writer" in finding.message) == affected


def test_an_ancient_sqlite_fails() -> None:
    """Statements of ours would not run."""
    assert checks.sqlite((3, 34, 1)).level == "fail"


@pytest.mark.parametrize(
    ("soft", "hard", "level"),
    [(1 << 20, 1 << 20, "ok"), (-1, -1, "ok"), (1024, 1 << 20, "warn"), (1024, 1024, "fail")],
)
def test_the_limit_of_open_files_is_judged(soft: int, hard: int, level: str) -> None:
    """Every viewer is one."""
    assert checks.open_files(soft, hard).level == level


def test_a_port_that_is_taken_fails_and_a_free_one_does_not() -> None:
    """The message names the option to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        finding = checks.port("server.port", "127.0.0.1", number)
    assert finding.level == "fail"
    assert f"port {number}" in finding.message
    assert "server.port" in (finding.advice or "")
    assert checks.port("server.port", "127.0.0.1", number).level == "ok"
    assert checks.port("server.port", "127.0.0.1", 0).level == "ok"


def test_an_address_that_is_not_ours_fails() -> None:
    """192.0.2.0/24 is for documentation (RFC 5737)."""
    assert checks.port("server.port", "192.0.2.1", 1234).level == "fail"


@pytest.mark.parametrize(("free", "level"), [(1 << 40, "ok"), (1 << 30, "warn"), (1 << 20, "fail")])
def test_free_space_is_judged(free: int, level: str) -> None:
    """A full disk refuses comments."""
    assert checks.space(free).level == level


def test_the_data_folder_must_be_writable_or_makeable(tmp_path: Path) -> None:
    """Where it is not there yet, the folder above counts."""
    assert checks.folder(tmp_path).level == "ok"
    assert checks.folder(tmp_path / "a" / "b").level == "ok"
    assert not (tmp_path / "a").exists()


def test_secrets_that_others_may_read_are_told(tmp_path: Path) -> None:
    """With the command that corrects it."""
    assert list(checks.secrets(tmp_path)) == []
    secret = tmp_path / "auth.secret"
    secret.touch(mode=0o600)
    assert [finding.level for finding in checks.secrets(tmp_path)] == ["ok"]
    secret.chmod(0o644)
    (finding,) = checks.secrets(tmp_path)
    assert (finding.level, finding.advice) == ("warn", f"chmod 600 {secret}")


def test_a_clock_that_is_behind_is_told(tmp_path: Path) -> None:
    """Behind this program's own age it fails; behind the data it is a warning."""
    assert checks.clock(tmp_path, SystemClock()).level == "ok"
    assert checks.clock(tmp_path, StoppedClock(0)).level == "fail"
    file = tmp_path / "log.db"
    file.touch()
    ahead = SystemClock().wall_ms() / 1000 + 3600
    os.utime(file, (ahead, ahead))
    assert checks.clock(tmp_path, SystemClock()).level == "warn"


def test_fallbacks_are_warnings() -> None:
    """Slower, not broken."""
    assert checks.extension(loaded=False).level == "warn"
    assert checks.extension(loaded=True).level == "ok"
    assert checks.event_loop(uvloop=False).level == "warn"
    assert checks.event_loop(uvloop=True).level == "ok"


def test_doctor_fails_when_something_would(tmp_path: Path) -> None:
    """One line for each check; what fails makes the status 1."""
    arguments = ["doctor", "--data", str(tmp_path), "--port", "0", "--internal-port", "0"]
    result = CliRunner().invoke(cli, arguments)
    failed = [line for line in result.stdout.split("\n") if line.startswith("fail")]
    assert result.exit_code == (1 if failed else 0)
    for subject in ("configuration", "SQLite", "open files", "native code", "clock"):
        assert f"  {subject}: " in result.stdout
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments[4] = str(taken.getsockname()[1])
        result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "fail  server.port: " in result.stdout


def test_doctor_goes_on_with_a_wrong_configuration() -> None:
    """The mistake is one of the findings."""
    result = CliRunner().invoke(cli, ["doctor", "--set", "room.snapshot=x"])
    assert result.exit_code == 1
    assert "fail  configuration: --set room.snapshot: 'x' is not an integer" in result.stdout
    assert "  SQLite: " in result.stdout
