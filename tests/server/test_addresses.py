"""The client's address behind proxies, and what strangers may not claim."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from groundswell.server.addresses import ClientAddresses


def address(peer: str, *forwarded: str, trusted: tuple[str, ...]) -> str:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    return ClientAddresses(trusted).of(request)


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("192.0.2.1", (), (), "192.0.2.1"),
        ("192.0.2.1", ("10.9.9.9",), (), "192.0.2.1"),  # nobody is trusted
        ("192.0.2.1", ("10.9.9.9",), ("10.0.0.0/8",), "192.0.2.1"),  # this peer is not
        ("10.0.0.1", ("192.0.2.7",), ("10.0.0.0/8",), "192.0.2.7"),
        ("10.0.0.1", ("6.6.6.6, 192.0.2.7",), ("10.0.0.0/8",), "192.0.2.7"),
        ("10.0.0.1", ("6.6.6.6", "192.0.2.7, 10.0.0.2"), ("10.0.0.0/8",), "192.0.2.7"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), ("10.0.0.0/8",), "10.0.0.3"),
        ("10.0.0.1", ("192.0.2.7, <script>",), ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", ("",), ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", (), ("10.0.0.1",), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("192.0.2.7",), ("10.0.0.0/8",), "192.0.2.7"),
        ("::1", ("2001:db8::7",), ("::1",), "2001:db8::7"),
    ],
)
def test_only_trusted_peers_speak_for_others(
    peer: str, forwarded: tuple[str, ...], trusted: tuple[str, ...], expected: str
) -> None:
    """The list is read from its end, up to the first address that is not a proxy of ours."""
    assert address(peer, *forwarded, trusted=trusted) == expected


@pytest.mark.parametrize("entry", ["proxy.example", "10.0.0.0/33", ""])
def test_an_unusable_entry_stops_the_start(entry: str) -> None:
    """A typing error must not trust nobody, or everybody."""
    with pytest.raises(ValueError, match="does not appear to be"):
        ClientAddresses([entry])
