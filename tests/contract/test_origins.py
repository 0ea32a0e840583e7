"""The check of `Origin`, against the variants of an attacker."""

import pytest

from groundswell.contract.origins import Origins

ALLOWED = Origins(["https://good.example", "http://good.example:8080", "https://[2001:db8::1]"])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "live.example"),  # not a browser
        ("https://good.example", "live.example"),
        ("https://good.example:443", "live.example"),
        ("HTTPS://GOOD.example", "live.example"),
        ("http://good.example:8080", "live.example"),
        ("https://[2001:DB8::1]", "live.example"),
        ("https://live.example", "live.example"),
        ("https://live.example", "LIVE.example:443"),
        ("http://live.example", "live.example"),
        ("http://localhost:8080", "localhost:8080"),
    ],
)
def test_allowed_and_own_origins_connect(origin: str | None, host: str) -> None:
    """Exact matches, spelled in any case, default ports left out or not."""
    assert ALLOWED.allows(origin, host=host)


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "NULL", "*", "good.example", "//good.example", "http://good.example",
        "https://good.example:80", "https://good.example:8080", "http://good.example:8081",
        "https://good.example:0443", "https://good.example:", "https://good.example:99999",
        "https://good.example.evil.example", "https://evilgood.example", "https://x.good.example",
        "https://good.example.", "https://good.example/", "https://good.example/path",
        "https://good.example?x", "https://good.example#x", "https://user@good.example",
        "https://good.example@evil.example", "https://good.example\\@evil.example",
        "https://good.example%00.evil.example", "https://good.example evil",
        " https://good.example", "https://good.example\n", "ftp://good.example",
        "file://good.example", "file://", "chrome-extension://good.example", "wss://good.example",
        "https://g\u043e\u043ed.example", "https://[2001:db8::2]", "https://",
        "javascript:alert(1)",
        "https://live.example.evil.example", "https://live.example:8443", "https://user@live.example",
        "\u212aood", "https://good.example,https://evil.example",
    ],
)  # fmt: skip
def test_foreign_origins_do_not(origin: str) -> None:
    """Suffixes, prefixes, user information, ports, schemes, sandboxed pages, look-alikes."""
    assert not ALLOWED.allows(origin, host="live.example")
    assert not Origins([]).allows(origin, host="live.example")


def test_a_missing_host_is_nobodys_own_origin() -> None:
    """HTTP/1.0 without `Host`."""
    assert not Origins([]).allows("https://live.example", host=None)


def test_a_star_allows_all() -> None:
    """Also sandboxed pages."""
    assert Origins(["*"]).any
    assert Origins(["*"]).allows("null", host=None)


@pytest.mark.parametrize("text", ["", "good.example", "https://good.example/x", "https://*.good"])
def test_an_origin_that_could_never_match_stops_the_start(text: str) -> None:
    """A typing error is not found out by visitors."""
    with pytest.raises(ValueError, match="not an origin"):
        Origins([text])
