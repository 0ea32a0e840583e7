"""Each command: what it prints, and how it refuses."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import click
import jwt
import pytest
from click.testing import CliRunner, Result

import groundswell
from groundswell import config
from groundswell.cli import cli
from groundswell.contract.partition import partition_of
from groundswell.contract.settings import Settings
from groundswell.filelock import FileLock

ROOT = Path(__file__).parents[2]
SECRET = "correct horse battery staple, and then some"


@pytest.fixture(autouse=True)
def _outside_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, without options from the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("GROUNDSWELL_"):
            monkeypatch.delenv(name)


def run(*args: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, args, env=env, input=stdin)


def start(*args: str) -> "subprocess.Popen[str]":
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from groundswell.cli import main; main()", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_help_lists_every_command_and_loads_no_library() -> None:
    """`groundswell --help` is quick: no server, database or JSON library is imported for it."""
    heavy = {"aiohttp", "sqlalchemy", "alembic", "jwt", "structlog", "prometheus_client", "orjson"}
    heavy |= {"rich", "msgspec"}
    program = (
        "import sys\nfrom groundswell.cli import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit as end: assert not end.code\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert process.stdout.endswith("[]\n")
    for name in ("serve", "demo", "token", "config", "doctor", "migrate", "partition-for"):
        assert f"  {name} " in process.stdout


def test_nothing_of_the_bench_is_imported_to_serve() -> None:
    """It is measured by other processes than those that measure."""
    program = (
        "import sys\nfrom groundswell.cli import cli\n"
        "import groundswell.roles, groundswell.cli.running\n"
        "try: cli.main(['serve', '--help'])\nexcept SystemExit as end: assert not end.code\n"
        "print([name for name in sys.modules if name.startswith('groundswell.bench')])"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert process.stdout.endswith("[]\n")


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("path", list(_commands(cli)), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    """`--help` works everywhere and says something of every option."""
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: groundswell {' '.join(path)}")


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["serv"], "No such command 'serv'", "--help"),
        (["serve", "--prot", "1"], "No such option", "serve --help"),
        (["serve", "--port", "http"], "--port: 'http' is not an integer", "config docs"),
        (["serve", "--set", "port=1"], "'port=1' is not of the form", "serve --help"),
        (["serve", "--set", "server.prot=1"], "did you mean server.port?", "config docs"),
        (["config", "check", "--config", "none.toml"], "none.toml: cannot be read", "config docs"),
        (["token", "create"], "Missing option '--user'", "token create --help"),
        (["token", "create", "--user", "a b"], "'a b' is not a user id", "--help"),
        (["token", "create", "--user", "a", "--ttl", "soon"], "'soon' is not a duration", "--help"),
        (["token", "create", "--user", "a", "--ttl", "999999999d"], "more than 3650d", "--help"),
        (["serve", "--roles", ""], "--roles: '' is an empty list, less than 1 item", "config docs"),
        (["video", "register", "a b"], "'a b' is not a video id", "video register --help"),
        (["role", "grant", "a b", "admin"], "'a b' is not a user id", "role grant --help"),
        (["role", "grant", "ada", "viewer"], "'viewer'", "role grant --help"),
        (["token", "create", "--user", "a", "--video", "a b"], "'a b' is not a video id", "--help"),
        (["token", "create", "--user", "a", "--role", "king"], "'king'", "--help"),
        (["partition-for", "a b"], "'a b' is not a video id", "1-64"),
        (["partition-for", "v", "--partitions", "0"], "0", "partition-for --help"),
        (["demo", "--url", "ftp://x"], "'ftp://x' is not an http", "demo --help"),
        (["demo", "--comments", "501"], "501", "demo --help"),
        (["completion", "tcsh"], "'tcsh'", "completion --help"),
    ],
)
def test_wrong_usage_is_one_line_a_hint_and_status_two(
    args: list[str], message: str, hint: str
) -> None:
    """Nothing on standard output, no traceback."""
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    first, second = result.stderr.strip().split("\n")
    assert first.startswith("groundswell: ")
    assert message in first
    assert second.startswith("hint: ")
    assert hint in second


def test_without_a_command_help_is_shown_and_the_status_is_two() -> None:
    """Standard output stays empty for scripts."""
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr


def test_every_mistake_of_the_configuration_is_reported_at_once() -> None:
    """From the environment and from flags, each with its place."""
    result = run("serve", "--port", "x", env={"GROUNDSWELL_ROOM_SNAPSHOT": "x"})
    assert result.exit_code == 2
    assert "2 problems" in result.stderr
    assert "--port: 'x'" in result.stderr
    assert "GROUNDSWELL_ROOM_SNAPSHOT: 'x'" in result.stderr


def test_a_token_is_printed_alone_and_checks_out() -> None:
    """What `create` prints can be piped, and `check` says whose it is."""
    args = ("--user", "ada", "--role", "moderator", "--ttl", "90s", "--video", "v1")
    created = run("token", "create", *args, "--data", "data")
    assert created.exit_code == 0
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", created.stdout)
    secret = Path("data/auth.secret").read_text(encoding="utf-8").strip()
    claims = jwt.decode(
        created.stdout.strip(), secret, ["HS256"], audience="groundswell", issuer="groundswell"
    )
    assert (claims["sub"], claims["role"], claims["video"]) == ("ada", "moderator", "v1")
    assert claims["exp"] - claims["iat"] == 90
    for checked in (
        run("token", "check", created.stdout.strip(), "--data", "data"),
        run("token", "check", "-", "--data", "data", stdin=created.stdout),
    ):
        assert checked.exit_code == 0
        answer = json.loads(checked.stdout)
        assert (answer["user_id"], answer["role"], answer["video_id"]) == ("ada", "moderator", "v1")


def test_a_token_is_signed_with_the_secret_that_is_set() -> None:
    """Then the data folder is not touched, and another secret refuses the token."""
    env = {"GROUNDSWELL_AUTH_SECRET": SECRET, "GROUNDSWELL_AUTH_AUDIENCE": "tv"}
    token = run("token", "create", "--user", "ada", env=env).stdout.strip()
    assert jwt.decode(token, SECRET, ["HS256"], audience="tv", issuer="groundswell")["sub"] == "ada"
    assert list(Path().iterdir()) == []
    refused = run("token", "check", token, env={**env, "GROUNDSWELL_AUTH_SECRET": SECRET[::-1]})
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "signature does not match" in refused.stderr


def test_a_token_is_signed_with_a_shared_key_of_the_key_file() -> None:
    """The first HS256 key is taken and named in the token."""
    Path("keys.toml").write_text(
        f'[[key]]\nkid = "k1"\nalgorithm = "HS256"\nsecret = "{SECRET}"\n', encoding="utf-8"
    )
    token = run("token", "create", "--user", "ada", "--set", "auth.keys=keys.toml").stdout.strip()
    assert jwt.get_unverified_header(token)["kid"] == "k1"
    assert run("token", "check", token, "--set", "auth.keys=keys.toml").exit_code == 0
    missing = run("token", "create", "--user", "ada", "--set", "auth.keys=none.toml")
    assert missing.exit_code == 2
    assert "none.toml" in missing.stderr


def test_the_configuration_is_shown_with_its_origins_and_without_secrets() -> None:
    """File, environment and flag in one."""
    Path("c.toml").write_text("[room]\nsnapshot = 7\n", encoding="utf-8")
    result = run(
        "config", "show", "--config", "c.toml", "--set", "room.tick_max=0.5",
        env={"GROUNDSWELL_AUTH_SECRET": SECRET},
    )  # fmt: skip
    assert result.exit_code == 0
    assert "snapshot = 7  # from room.snapshot in c.toml" in result.stdout
    assert "tick_max = 0.5  # from --set room.tick_max" in result.stdout
    assert 'secret = "***"  # from GROUNDSWELL_AUTH_SECRET' in result.stdout
    assert SECRET not in result.output


def test_the_configuration_is_checked_documented_and_begun() -> None:
    """`check`, `docs` and `init` print what the package makes."""
    assert run("config", "check", "--set", "room.snapshot=7").stdout.startswith("ok: 1 option set")
    assert run("config", "docs").stdout == config.docs()
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == config.docs()
    assert run("config", "init").stdout == config.init()


def test_migrate_makes_the_data_folder_and_can_be_repeated() -> None:
    """Accounts and secrets are there; the second time changes nothing."""
    for _ in range(2):
        result = run("migrate", "--data", "data/deep")
        assert result.exit_code == 0, result.output
    folder = Path("data/deep")
    assert {"accounts.db", "auth.secret", "ids.secret"} <= {f.name for f in folder.iterdir()}
    database = sqlite3.connect(folder / "accounts.db")
    assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]
    database.close()


def test_migrate_says_why_it_cannot() -> None:
    """A folder that cannot be made, a file that is no database."""
    Path("file").write_text("", encoding="utf-8")
    result = run("migrate", "--data", "file/data")
    assert result.exit_code == 1
    assert "cannot make the data folder 'file/data'" in result.stderr
    Path("data").mkdir()
    Path("data/accounts.db").write_text("no database" * 100, encoding="utf-8")
    result = run("migrate", "--data", "data")
    assert result.exit_code == 1
    assert "not a database" in result.stderr


def test_migrate_check_names_what_is_missing_and_makes_nothing() -> None:
    """Status 1 until it was migrated."""
    result = run("migrate", "--check", "--data", "data")
    assert result.exit_code == 1
    assert "data folder data" in result.stdout
    assert "accounts in data/accounts.db" in result.stdout
    assert not Path("data").exists()
    run("migrate", "--data", "data")
    before = sorted(Path("data").iterdir())
    result = run("migrate", "--check", "--data", "data")
    assert (result.exit_code, result.stdout) == (0, "nothing is missing\n")
    assert sorted(Path("data").iterdir()) == before


def test_migrate_says_which_engine_it_cannot_reach_and_keeps_the_password() -> None:
    """What was done before stays told."""
    for url, why in (
        ("postgresql://ada:hunter2@127.0.0.1:1/x", "cannot reach the database"),
        ("postgresql://ada:hun@ter2@127.0.0.1:p/x", "not the URL of a database"),
    ):
        result = run("migrate", "--data", "data", env={"GROUNDSWELL_ACCOUNTS_URL": url})
        assert result.exit_code == 1
        assert "data folder: data is there" in result.stdout
        assert why in result.stderr
        assert "accounts.url" in result.stderr
        assert "ter2" not in result.output


def test_videos_are_registered_and_listed() -> None:
    """The first title stays; without one it is the id."""
    run("migrate", "--data", "data")
    for title in ("Final", "Other"):
        result = run("video", "register", "v2", "--title", title, "--data", "data")
        assert (result.exit_code, result.stdout) == (0, "v2 is registered: Final\n")
    run("video", "register", "v1", "--data", "data")
    lines = run("video", "list", "--data", "data").stdout.splitlines()
    assert [(line.split("\t")[0], line.split("\t")[2]) for line in lines] == [
        ("v1", "v1"),
        ("v2", "Final"),
    ]


def test_roles_are_granted_listed_and_revoked() -> None:
    """Each change stands in the audit log."""
    run("migrate", "--data", "data")
    assert (
        run("role", "grant", "ada", "moderator", "--video", "v1", "--data", "data").exit_code == 0
    )
    assert run("role", "grant", "bob", "admin", "--data", "data").exit_code == 0
    listed = run("role", "list", "--data", "data").stdout
    assert listed == "ada\tmoderator\tv1\nbob\tadmin\t*\n"
    assert run("role", "revoke", "bob", "admin", "--data", "data").exit_code == 0
    assert run("role", "list", "--data", "data").stdout == "ada\tmoderator\tv1\n"
    database = sqlite3.connect("data/accounts.db")
    audit = database.execute("SELECT action, target, detail FROM audit ORDER BY entry_id")
    assert audit.fetchall() == [
        ("role.grant", "ada", "moderator"),
        ("role.grant", "bob", "admin"),
        ("role.revoke", "bob", "admin"),
    ]
    database.close()


def test_a_file_that_a_server_has_is_left_alone() -> None:
    """Two connections that write can corrupt it; the message says what to do."""
    run("migrate", "--data", "data")
    holder = FileLock(Path("data/accounts.db"))
    holder.take()
    for args in (["video", "list"], ["role", "list"], ["migrate"]):
        result = run(*args, "--data", "data")
        assert result.exit_code == 1
        assert "stop the server first" in result.stderr
    holder.release()
    assert run("video", "list", "--data", "data").exit_code == 0


def test_without_a_migration_accounts_say_what_to_do() -> None:
    """Nothing is made on the way."""
    Path("data").mkdir()
    result = run("video", "list", "--data", "data")
    assert result.exit_code == 1
    assert "run `groundswell migrate`" in result.stderr


def test_the_partition_of_a_video_is_printed() -> None:
    """The same as the server uses."""
    assert run("partition-for", "video-123").stdout == f"{partition_of('video-123', 64)}\n"
    result = run("partition-for", "video-123", "--partitions", "7")
    assert result.stdout == f"{partition_of('video-123', 7)}\n"


def test_versions_are_printed() -> None:
    """Ours and those that matter in a report."""
    assert run("--version").stdout == f"groundswell {groundswell.__version__}\n"
    assert sqlite3.sqlite_version in run("version").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_the_command(shell: str) -> None:
    """Each names the variable that click answers to."""
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_GROUNDSWELL_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_bash_script_is_bash() -> None:
    """It parses."""
    script = run("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def _roles(monkeypatch: pytest.MonkeyPatch, serve: Callable[[Settings], int]) -> None:
    """Have `groundswell.roles` do this instead of running a server."""
    module = ModuleType("groundswell.roles")
    module.serve = serve  # type: ignore[attr-defined]  # that is the point
    monkeypatch.setitem(sys.modules, "groundswell.roles", module)
    # Logging is the process's; the test runner keeps its own.
    monkeypatch.setattr("groundswell.telemetry.logging.configure", lambda settings: None)


def test_serve_hands_the_settings_over_and_returns_the_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every flag ends in the option that it is for."""
    given: list[Settings] = []

    def serve(settings: Settings) -> int:
        given.append(settings)
        return 7

    _roles(monkeypatch, serve)
    result = run(
        "serve", "--host", "127.0.0.2", "--port", "9000", "--internal-port", "9001",
        "--data", "d", "--roles", "broker,ingest", "--demo", "--set", "room.snapshot=7",
        "--set", "server.origins=https://a.example,https://b.example",
    )  # fmt: skip
    assert result.exit_code == 7
    (settings,) = given
    server = settings.server
    assert (server.host, server.port, server.internal_port) == ("127.0.0.2", 9000, 9001)
    assert (server.data, server.roles) == ("d", ("broker", "ingest"))
    assert server.origins == ("https://a.example", "https://b.example")
    assert (settings.demo.enabled, settings.room.snapshot) == (True, 7)
    run("serve")
    assert given[1] == Settings()


def test_an_interrupted_command_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 130, as shells expect after SIGINT."""

    def interrupted(_settings: Settings) -> int:
        raise KeyboardInterrupt

    _roles(monkeypatch, interrupted)
    result = run("serve")
    assert (result.exit_code, result.output.strip()) == (130, "")


def test_failures_of_the_machine_are_one_line_and_bugs_are_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An `OSError` is told; what we did not think of keeps its traceback."""

    def failing(settings: Settings) -> int:
        raise OSError(28, "No space left on device") if settings.demo.enabled else ZeroDivisionError

    _roles(monkeypatch, failing)
    result = run("serve", "--demo")
    assert result.exit_code == 1
    assert result.stderr == "groundswell: [Errno 28] No space left on device\n"
    assert isinstance(run("serve").exception, ZeroDivisionError)


def test_ctrl_c_is_quiet() -> None:
    """A demo that is told to stop ends with status 0 and no traceback."""
    process = start("demo", "--url", "http://127.0.0.1:1", "--comments", "50")
    assert process.stderr is not None
    assert "waits for the server" in process.stderr.readline()  # it runs, and logs there
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, "")
    assert "Traceback" not in stderr
