"""Secrets in the data folder."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from groundswell.secrets import SecretUnusable, development_secret


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """The same secret is returned ever after; different names have different ones."""
    data = tmp_path / "new" / "data"
    secret = development_secret(data, "auth.secret")
    assert len(secret) == 48
    assert development_secret(data, "auth.secret") == secret
    assert development_secret(data, "ids.secret") != secret
    assert stat.S_IMODE((data / "auth.secret").stat().st_mode) == 0o600
    assert {file.name for file in data.iterdir()} == {"auth.secret", "ids.secret"}


def test_everybody_who_comes_at_once_gets_the_same(tmp_path: Path) -> None:
    """Nobody reads half a secret or replaces one."""
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: development_secret(tmp_path, "s"), range(64)))
    assert len(found) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 48])
def test_a_damaged_secret_is_not_used_and_not_replaced(content: bytes, tmp_path: Path) -> None:
    """A new one would make all ids of before invalid; that is for a person to decide."""
    file = tmp_path / "ids.secret"
    file.write_bytes(content)
    with pytest.raises(SecretUnusable, match=r"ids\.secret"):
        development_secret(tmp_path, "ids.secret")
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The path is in the message."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SecretUnusable, match="file/data"):
        development_secret(tmp_path / "file" / "data", "auth.secret")
