"""A broker's parts on a real log and store, a clock that the test moves, and fake clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundswell.contract.events import EventFlag
from groundswell.contract.ports.log import Topic
from groundswell.contract.settings import RoomSettings, ServerSettings, Settings, StreamSettings
from groundswell.log.sqlite_log import SqliteLog
from groundswell.persist.sqlite_store import SqliteStore
from tests.broker.harness.author import Author, FakeClock
from tests.broker.harness.hall import Hall
from tests.broker.harness.planes import PLANES
from tests.broker.harness.site import FakeUplink, Site
from tests.broker.harness.stage import Stage
from tests.broker.harness.wire import DEADLINE_SECONDS, Events, Wire
from tests.broker.harness.world import PARTITIONS, World

POLL_SECONDS = 0.002


@pytest.fixture(name="clock")
def fixture_clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture(name="author")
def fixture_author(clock: FakeClock) -> Author:
    """Makes events."""
    return Author(clock)


@pytest.fixture(name="make_stage")
def fixture_make_stage() -> type[Stage]:
    """The class: partition and room in memory, for any settings."""
    return Stage


@pytest.fixture(name="stage")
async def fixture_stage() -> Stage:
    """An open room that shows everything."""
    return Stage()


@pytest.fixture(name="world")
async def fixture_world(tmp_path: Path, clock: FakeClock) -> AsyncIterator[World]:
    """Engines on disk, nothing started yet: call `world.reader.start()`."""
    log = SqliteLog(tmp_path / "log.db", clock=clock, partitions=PARTITIONS)
    await log.start()
    store = SqliteStore(tmp_path / "store.db", generation=1, log_epoch=log.epoch(Topic.EVENTS))
    await store.start()
    world = World(log, store, clock)
    yield world
    await world.stop()
    await store.close()
    await log.close()


@pytest.fixture(name="wait_until")
def fixture_wait_until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait for a condition, at most until the deadline."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():  # noqa: ASYNC110  any condition, not one with an event
                await asyncio.sleep(POLL_SECONDS)

    return wait


@pytest.fixture(name="privileged")
def fixture_privileged() -> int:
    """The flags of a moderator's comment."""
    return int(EventFlag.PRIVILEGED)


@pytest.fixture(name="open_wire")
async def fixture_open_wire() -> AsyncIterator[Callable[..., Awaitable[Wire]]]:
    """Connect to a port; closed at the end."""
    wires: list[Wire] = []

    async def connect(port: int, **options: Any) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port, **options))
        wires.append(wire)
        return wire

    yield connect
    for wire in wires:
        wire.close()


@pytest.fixture(name="events")
def fixture_events() -> Events:
    """Records what a plane tells."""
    return Events()


@pytest.fixture(name="uplink")
def fixture_uplink() -> FakeUplink:
    """The gate behind a socket."""
    return FakeUplink()


@pytest.fixture(name="plane_kind", params=["asyncio", "native"])
def fixture_plane_kind(request: pytest.FixtureRequest) -> str:
    """Which plane a broker has."""
    if request.param == "native":
        pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")
    return str(request.param)


@pytest.fixture(name="make_site")
async def fixture_make_site(
    world: World, uplink: FakeUplink, plane_kind: str
) -> AsyncIterator[Callable[..., Awaitable[Site]]]:
    """Start a broker with these sections of the settings."""
    sites: list[Site] = []

    async def make(*, stream: StreamSettings | None = None, **sections: Any) -> Site:
        anybody = ServerSettings(origins=("*",))
        room = RoomSettings(display_rate=0, tick_min=0.0)
        stream = replace(stream or StreamSettings(), plane=plane_kind, hub_threads=2)
        site = Site(
            world, uplink, Settings(stream=stream, **{"room": room, "server": anybody, **sections})
        )
        await site.start()
        sites.append(site)
        return site

    yield make
    for site in sites:
        await site.stop()


@pytest.fixture(name="site")
async def fixture_site(make_site: Callable[..., Awaitable[Site]]) -> Site:
    """A broker that anybody may watch."""
    return await make_site()


@pytest.fixture(name="make_hall", params=PLANES)
async def fixture_make_hall(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    events: Events,
    clock: FakeClock,
    open_wire: Callable[..., Awaitable[Wire]],
) -> AsyncIterator[Callable[..., Awaitable[Hall]]]:
    """Start a plane of each kind with these stream settings."""
    halls: list[Hall] = []

    async def make(**settings: Any) -> Hall:
        plane = PLANES[request.param](
            monkeypatch, settings=StreamSettings(**settings), clock=clock, jitter=lambda: 0.5
        )
        hall = Hall(plane, events, clock, open_wire)
        await hall.start()
        halls.append(hall)
        return hall

    yield make
    for hall in halls:
        await hall.stop()


@pytest.fixture(name="hall")
async def fixture_hall(make_hall: Callable[..., Awaitable[Hall]]) -> Hall:
    """A plane with the usual settings."""
    return await make_hall()
