"""The configuration as people read it."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.config import OPTIONS, docs, init, read, show
from groundswell.config.options import SECTIONS
from groundswell.config.render import toml

ROOT = Path(__file__).parents[2]
SECRET = "correct horse battery staple, and then some"


def test_the_settings_document_is_up_to_date() -> None:
    """`groundswell config docs > docs/settings.md` was run after the last change."""
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == docs()


def test_every_option_is_documented_with_its_environment_rule() -> None:
    """A row for each option, and how its name in the environment is made."""
    text = docs()
    assert all(f"| `{key}` |" in text for key in OPTIONS)
    assert "GROUNDSWELL_SECTION_NAME" in text


def test_what_is_shown_is_toml_with_secrets_masked_and_origins_told() -> None:
    """The effective file can be read back, and says where its values are from."""
    configuration = read(
        file=None,
        environ={"GROUNDSWELL_AUTH_SECRET": SECRET},
        flags={"server.port": "9000", "server.origins": "https://a.example,https://b.example"},
    )
    text = show(configuration)
    assert SECRET not in text
    assert 'secret = "***"  # from GROUNDSWELL_AUTH_SECRET' in text
    assert "port = 9000  # from --port" in text
    document = tomllib.loads(text)
    assert document["server"]["origins"] == ["https://a.example", "https://b.example"]
    assert document["ids"]["secret"] == ""
    assert set(document) == set(SECTIONS)


def test_the_name_of_a_file_cannot_break_out_of_its_comment(tmp_path: Path) -> None:
    """A line break in a path stays within the comment."""
    file = tmp_path / "a\n[evil]\nb.toml"
    file.write_text("[server]\nport = 9000\n", encoding="utf-8")
    document = tomllib.loads(show(read(file=file, environ={}, flags={})))
    assert "evil" not in document


def test_the_initial_file_changes_nothing_until_it_is_edited(tmp_path: Path) -> None:
    """All is commented out; uncommented, it is the defaults and is accepted."""
    text = init()
    assert tomllib.loads(text) == {section: {} for section in SECTIONS}
    names = {option.name for option in OPTIONS.values()}
    uncommented = "\n".join(
        line[2:] if line.startswith("# ") and line[2:].split(" = ")[0] in names else line
        for line in text.splitlines()
    )
    file = tmp_path / "all.toml"
    file.write_text(uncommented, encoding="utf-8")
    configuration = read(file=file, environ={}, flags={})
    assert set(configuration.origins) == set(OPTIONS)
    assert configuration.settings == read(file=None, environ={}, flags={}).settings


@given(st.text())
def test_any_text_survives_being_written_as_toml(text: str) -> None:
    """Quotes, line ends, control characters: all come back."""
    assert tomllib.loads(f"x = {toml(text)}")["x"] == text


@pytest.mark.parametrize("value", [True, 3, 0.25, 72.0, 1e-07, 1e22, ("a", 'b"'), ()])
def test_values_survive_being_written_as_toml(value: object) -> None:
    """Numbers keep their type."""
    back = tomllib.loads(f"x = {toml(value)}")["x"]  # type: ignore[arg-type]  # all are values
    expected = list(value) if isinstance(value, tuple) else value
    assert back == expected
    assert type(back) is type(expected)
