"""Conversations with a broker of each plane, behind a real listener."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from groundswell.contract.settings import StreamSettings
from tests.broker.harness.conversation import Case, Ears, Outcome, converse
from tests.broker.harness.site import Site

Hold = Callable[..., Awaitable[None]]
UNLIMITED = 1e6  # messages a second


@pytest.fixture(name="uplink")
def fixture_uplink() -> Ears:
    """A gate that knows everybody."""
    return Ears()


@pytest.fixture(name="hold")
def fixture_hold(make_site: Callable[..., Awaitable[Site]], uplink: Ears) -> Hold:
    """Check that each case comes out as it says."""

    async def hold(cases: Mapping[str, Case], **settings: Any) -> None:
        stream = StreamSettings(**{"uplink_messages": UNLIMITED, **settings})
        site = await make_site(stream=stream)
        found: dict[str, Outcome] = await converse(site.port, uplink, cases)
        expected = {name: case.outcome for name, case in cases.items()}
        wrong = {name: found[name] for name in cases if found[name] != expected[name]}
        assert wrong == {name: expected[name] for name in wrong}

    return hold
