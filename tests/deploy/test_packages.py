"""What is installed, and what is said where nothing can be."""

import os
from pathlib import Path

import pytest

from deploy.local import packages
from deploy.local.errors import StackError
from deploy.local.java import jar_folder
from deploy.local.packages import FINDERS, install, missing, packages_for
from deploy.local.plan import Plan


def test_a_plan_needs_the_packages_of_its_engines_only(tmp_path: Path) -> None:
    """Nobody installs Java for Redis."""
    assert packages_for(Plan(kafka=0, cassandra=0, postgresql=0), cache=tmp_path) == [
        "redis-server"
    ]
    assert packages_for(Plan(), cache=tmp_path) == [
        "openjdk-17-jre-headless",
        "maven",
        "redis-server",
        "postgresql",
    ]


def test_maven_is_not_needed_once_the_jars_are_there(tmp_path: Path) -> None:
    """A cache that was copied from elsewhere is enough."""
    for engine in ("kafka", "cassandra"):
        jar_folder(engine, cache=tmp_path).mkdir(parents=True)
    assert "maven" not in packages_for(Plan(), cache=tmp_path)


def test_a_program_out_of_path_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are judged by their programs, not by what dpkg says."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "maven" in missing()
    assert set(missing()) <= set(FINDERS)


def test_without_root_the_command_to_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried that cannot work."""
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StackError, match="as root: apt-get install --no-install-recommends maven"):
        install(["maven"], report=lambda _: None)


def test_without_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another system a person knows what to look for."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StackError, match="without apt-get we cannot: maven nginx"):
        install(["maven", "nginx"], report=lambda _: None)


def test_nothing_is_installed_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even apt-get is looked for."""
    monkeypatch.setenv("PATH", "/nonexistent")
    install([], report=lambda _: pytest.fail("something was installed"))


def test_services_stay_off_while_packages_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is there for apt-get, and gone afterwards, whatever apt-get says."""
    policy = tmp_path / "policy-rc.d"
    apt = tmp_path / "apt-get"
    apt.write_text(f"#!/bin/sh\n{policy} && exit 1\necho refused services >&2\nexit 7\n")
    apt.chmod(0o755)
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr("shutil.which", lambda _: str(apt))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StackError, match="apt-get update failed:\nrefused services"):
        install(["maven"], report=lambda _: None)
    assert not policy.exists()
