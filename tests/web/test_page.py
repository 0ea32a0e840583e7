"""The viewer page keeps to its strict content security policy, and its client passes its tests."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "groundswell" / "web"
ASSETS = WEB / "assets"
SCRIPTS = sorted(ASSETS.glob("*.js"))
STYLES = sorted(ASSETS.glob("*.css"))
NODE = shutil.which("node")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed((WEB / "watch.html").read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute))]


def test_page_has_no_inline_script_or_style() -> None:
    """`script-src 'self'; style-src 'self'` would drop them."""
    for tag, attributes in _Page().tags:
        assert tag != "style"
        assert tag != "script" or "src" in attributes
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_every_asset_that_is_named_exists() -> None:
    """A missing module would leave the page blank."""
    texts = [path.read_text() for path in (WEB / "watch.html", *STYLES)]
    named = {name for text in texts for name in re.findall(r"/assets/([\w.-]+)", text)}
    imported = {
        name for path in SCRIPTS for name in re.findall(r'from "\./([\w.-]+)"', path.read_text())
    }
    assert named
    assert imported
    assert named | imported <= {path.name for path in ASSETS.iterdir()}


def test_every_element_that_a_module_asks_for_exists() -> None:
    """`byID` throws for an element that the page lacks."""
    asked = {
        name for path in SCRIPTS for name in re.findall(r'byID\("([\w-]+)"\)', path.read_text())
    }
    assert asked
    assert asked <= set(_Page().values("id"))


def test_no_module_parses_markup_or_code() -> None:
    """What people write becomes text nodes only."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
    )
    for path in SCRIPTS:
        assert not forbidden.search(path.read_text()), path.name


def test_nothing_is_loaded_from_elsewhere() -> None:
    """The page works on a network without an Internet."""
    namespaces = re.compile(r"http://www\.w3\.org/\S+")
    for path in (WEB / "watch.html", *SCRIPTS, *STYLES):
        assert "://" not in namespaces.sub("", path.read_text()), path.name


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_client_and_model_pass_their_own_tests() -> None:
    """The tests of the modules that need no page, by node's own runner."""
    tests = sorted(str(path) for path in Path(__file__).parent.glob("test_*.mjs"))
    assert NODE is not None
    assert tests
    done = subprocess.run([NODE, "--test", *tests], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
