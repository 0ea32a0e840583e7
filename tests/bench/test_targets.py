"""Servers are started as a user would start them."""

import json
import sys

import pytest

from groundswell.bench import targets
from groundswell.bench.metrics import get
from groundswell.bench.native_tools import ToolFailed

# Stands for the product: ready at its internal port, where it tells how it was started.
FAKE = """\
#!{python}
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([sys.argv[1:], dict(os.environ)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
port = int(sys.argv[sys.argv.index("--internal-port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def test_groundswell_is_started_by_its_command_with_a_folder_of_its_own(tmp_path, monkeypatch):
    """Arguments and environment are those of the documentation; it is ready inside the block."""
    program = tmp_path / "groundswell"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    env = {"GROUNDSWELL_LIMITS_ENABLED": "false"}
    with targets.groundswell(core=None, secret="s" * 48, env=env) as server:
        assert server.internal_port is not None
        arguments, environment = json.loads(get(server.internal_port, "/started")[1])
    expected = ["serve", "--host", "127.0.0.1", "--port", str(server.port)]
    expected += ["--internal-port", str(server.internal_port), "--data"]
    assert arguments[:-1] == expected
    assert environment["GROUNDSWELL_AUTH_SECRET"] == "s" * 48
    assert environment["GROUNDSWELL_LIMITS_ENABLED"] == "false"
    assert not server.process.running()


def test_a_missing_program_is_named(tmp_path, monkeypatch):
    """Nothing is started where the project is not installed."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with (
        pytest.raises(ToolFailed, match="install the project"),
        targets.groundswell(core=None, secret="s" * 48, env={}),
    ):
        pytest.fail("it cannot have been started")
