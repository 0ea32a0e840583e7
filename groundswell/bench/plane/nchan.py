"""The peer nchan: a module of nginx (Debian: libnginx-mod-nchan) that keeps and sends messages.

It runs in production's way, a master and one worker, and keeps the last message of a channel,
which is what a subscriber gets first.
"""

import http.client
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from groundswell.bench.engines import Engine
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.targets import START_TIME, Target, free_ports, post_path

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
CONNECTIONS = 19_900  # of the 20,000 files that a process may have open
_CONFIG = """\
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_buffer_size 256k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/live/(\\w+)/comments/stream$ {{
      nchan_subscriber websocket;
      nchan_channel_id $1;
      nchan_subscriber_first_message oldest;
    }}
    location ~ ^/live/(\\w+)/comments$ {{
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 1;
      nchan_message_timeout 0;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nchan:
    """A running nginx: the target, and whose CPU counts (master and worker)."""

    target: Target
    processes: Engine


def installed() -> bool:
    """Tell whether nginx and the module are there."""
    return MODULE.exists() and _program() is not None


@contextmanager
def nchan(*, core: int | None) -> Iterator[Nchan]:
    """Start nginx with the module.

    Raises:
        ToolFailed: it is not installed, or did not start.
    """
    program = _program()
    if program is None or not MODULE.exists():
        raise ToolFailed("nchan needs the packages nginx and libnginx-mod-nchan")
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        config = Path(folder) / "nginx.conf"
        text = _CONFIG.format(
            module=MODULE, folder=folder, port=port, files=CONNECTIONS, connections=CONNECTIONS - 50
        )
        config.write_text(text)
        argv = [program, "-p", folder, "-c", str(config), "-e", "stderr"]
        with Process(argv, core=core, speaks=False) as process:
            _wait_listening(process, port)
            yield Nchan(Target("nchan", process, port), Engine("nchan", (process.pid,)))


def publish(target: Target, video: str, body: bytes) -> None:
    """Make `body` the message that every subscriber of the video gets first."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=START_TIME)
    try:
        connection.request("POST", post_path(video), body)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status not in (201, 202):  # 202: nobody is subscribed yet
        raise ToolFailed(f"nchan answered {status} to a message")


def _program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _wait_listening(process: Process, port: int) -> None:
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline:
        process.check()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIME)
        try:
            connection.connect()
        except OSError:  # not yet
            time.sleep(0.02)
            continue
        finally:
            connection.close()
        return
    raise ToolFailed(f"nginx does not listen after {START_TIME:g} s")
