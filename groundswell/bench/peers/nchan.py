"""The peer nchan: a module of nginx (Debian: libnginx-mod-nchan) that keeps and sends messages.

It runs in production's way, a master and one worker. With `keeps` a channel holds its last message,
which is what a subscriber gets first; else it holds the last 10,000 for a minute, and a subscriber
gets what comes after it.
"""

import http.client
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.targets import COMMENTS, START_TIME, Target, free_ports, wait_listening

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
      nchan_subscriber_first_message {first};
    }}
    location ~ ^/live/(\\w+)/comments$ {{
      nchan_publisher;
      nchan_channel_id $1;
      {keeping}
    }}
  }}
}}
"""


_ONE = "nchan_message_buffer_length 1; nchan_message_timeout 0;"
_MANY = "nchan_message_buffer_length 10000; nchan_message_timeout 60s;"


def missing() -> str:
    """Say what has to be installed; empty: nothing."""
    if MODULE.exists() and _program() is not None:
        return ""
    return "it needs the packages nginx and libnginx-mod-nchan"


@contextmanager
def nchan(*, core: int | None, keeps: bool = False) -> Iterator[Target]:
    """Start nginx with the module.

    Raises:
        ToolFailed: it is not installed, or did not start.
    """
    program = _program()
    if program is None or missing():
        raise ToolFailed(f"nchan: {missing()}")
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        config = Path(folder) / "nginx.conf"
        keeping = _ONE if keeps else _MANY
        text = _CONFIG.format(
            module=MODULE,
            folder=folder,
            port=port,
            files=CONNECTIONS,
            connections=CONNECTIONS - 50,
            first="oldest" if keeps else "newest",
            keeping=keeping,
        )
        config.write_text(text)
        argv = [program, "-p", folder, "-c", str(config), "-e", "stderr"]
        settings = {"version": _version(program), "worker_processes": 1, "keeping": keeping}
        with Process(argv, core=core, speaks=False, family=True) as process:
            wait_listening(process, port, within=START_TIME)
            yield Target("nchan", process, port, dialect=COMMENTS, settings=settings)


def publish(target: Target, video: str, body: bytes) -> None:
    """Make `body` the message that every subscriber of the video gets first."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=START_TIME)
    try:
        connection.request("POST", target.dialect.post_path(video), body)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status not in (201, 202):  # 202: nobody is subscribed yet
        raise ToolFailed(f"nchan answered {status} to a message")


def _program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _version(program: str) -> str:
    done = subprocess.run(  # noqa: S603 - the program that is measured, no shell
        [program, "-v"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip().rpartition(" ")[2]
