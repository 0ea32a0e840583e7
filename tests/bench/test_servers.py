"""Every peer is started by its name, understood by the same drivers, or skipped."""

import dataclasses
import os
import sys

import pytest

from groundswell.bench import fanout, servers, traffic
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.peers import centrifugo, nchan
from groundswell.bench.servers import Wanted

# Speaks as much of Centrifugo as the drivers need; what it is told is checked by the test.
FAKE = """\
#!{python}
import asyncio, json, sys
from aiohttp import web
if sys.argv[1:] == ["version"]:
    print("Centrifugo v0 (a fake)")
    sys.exit()
config = json.load(open(sys.argv[sys.argv.index("-c") + 1]))
viewers = []
async def publish(request):
    body = await request.json()
    push = {{"push": {{"channel": body["channel"], "pub": {{"data": body["data"]}}}}}}
    for channel, viewer in viewers:
        if channel == body["channel"]:
            await viewer.send_str(json.dumps(push))
    return web.json_response({{"result": {{}}}})
async def watch(request):
    viewer = web.WebSocketResponse(compress=False)
    await viewer.prepare(request)
    connect, subscribe = map(json.loads, (await viewer.receive_str()).split("\\n"))
    viewers.append((subscribe["subscribe"]["channel"], viewer))
    await viewer.send_str(json.dumps({{"id": connect["id"], "connect": {{}}}}))
    async for _ in viewer:
        pass
    return viewer
app = web.Application()
app.router.add_post("/api/publish", publish)
app.router.add_get("/connection/websocket", watch)
web.run_app(app, host="127.0.0.1", port=config["http_server"]["port"], print=None)
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Do not wait for a steady state that tests do not measure."""
    monkeypatch.setattr(fanout, "SETTLE_TIME", 0.05)
    monkeypatch.setattr(traffic, "PATIENCE", 20.0)  # on a busy machine


@pytest.fixture
def fake(tmp_path):
    """A program that stands for Centrifugo."""
    path = tmp_path / "centrifugo"
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(0o755)
    return path


def measured(run, name):
    """Start a server and measure a second of fan-out; return the row and the record behind it."""
    wanted = Wanted(plane="native", rate=50, seconds=run.seconds)
    with servers.start(run, name, wanted) as server:
        return fanout.measure_server(run, server, viewers=6, rate=50)


@pytest.mark.parametrize(
    "name",
    [
        "limit",
        "naive",
        "websockets",
        pytest.param("nchan", marks=pytest.mark.skipif(bool(nchan.missing()), reason="no nginx")),
        "groundswell",
    ],
)
def test_each_server_delivers_everything_that_it_accepted(run, name):
    """The same drivers understand all of them; what each was told is in the record."""
    row, detail = measured(run, name)
    assert (row["server"], row["viewers"], row["errors"]) == (name, 6, "")
    assert detail["saw"]["comments"] > 0
    assert name == "limit" or detail["settings"]


def test_centrifugo_is_watched_and_published_to_in_its_own_way(run, fake):
    """A viewer connects and subscribes; a comment is published as it is posted elsewhere."""
    run = dataclasses.replace(run, centrifugo=fake)
    row, detail = measured(run, "centrifugo")
    assert (row["viewers"], row["errors"]) == (6, "")
    assert detail["saw"]["comments"] == 6 * detail["writers"]["ok"] > 0
    assert detail["settings"]["version"] == "Centrifugo v0 (a fake)"


@pytest.mark.skipif(centrifugo.program() is None, reason="no Centrifugo on this machine")
def test_the_real_centrifugo_delivers_everything(run):
    """Where the user has one."""
    assert measured(run, "centrifugo")[0]["errors"] == ""


def test_a_peer_that_is_missing_is_skipped_with_the_reason(run, tmp_path, monkeypatch):
    """The others are measured all the same."""
    monkeypatch.setattr(nchan, "MODULE", tmp_path / "none.so")
    run = dataclasses.replace(run, centrifugo=tmp_path / "none")
    rows, _ = fanout.measure(
        run,
        viewers=3,
        rates=[20],
        servers=["centrifugo", "nchan", "limit"],
        tick_ms=20,
        plane="native",
    )
    assert [row["server"] for row in rows] == ["limit"]
    assert set(run.journal.skipped) == {"centrifugo", "nchan"}
    assert "is no program" in run.journal.skipped["centrifugo"]
    with pytest.raises(ToolFailed, match="libnginx-mod-nchan"):
        measured(run, "nchan")


def test_centrifugo_is_taken_from_the_environment(fake, monkeypatch):
    """What is named by the option comes first; without either it says how to name one."""
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv(centrifugo.VARIABLE, str(fake))
    assert centrifugo.program() == fake
    assert centrifugo.program(fake.parent) == fake.parent
    monkeypatch.delenv(centrifugo.VARIABLE)
    monkeypatch.setattr(centrifugo.shutil, "which", lambda _name: None)
    assert "--centrifugo" in centrifugo.missing()
