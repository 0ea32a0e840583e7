"""Reading the configuration: precedence, types, bounds, unknown names, secrets."""

import dataclasses
from pathlib import Path

import pytest

from groundswell.config import OPTIONS, ConfigError, Option, load, read
from groundswell.config.options import Value
from groundswell.config.render import toml
from groundswell.contract.settings import Settings

SECRET = "correct horse battery staple, and then some"


def other_value(option: Option) -> Value:
    """Return a valid value that is not the option's default."""
    special: dict[str, Value] = {
        "server.origins": ("https://example.com", "https://tv.example"),
        "server.trusted_proxies": ("10.0.0.0/8", "::1"),
        "server.host": "127.0.0.1",
        "server.port": 9000,  # not the internal port
    }
    if option.key in special:
        return special[option.key]
    if isinstance(option.default, bool):
        return not option.default
    if isinstance(option.default, tuple):
        return (option.choices or ("one.example",))[:1]
    if option.choices:
        return next(choice for choice in option.choices if choice != option.default)
    if isinstance(option.default, str):
        return "x" * int(option.at_least or 8)
    assert isinstance(option.default, int | float)
    step = type(option.default)(1 if option.default >= 1 else option.default / 4)
    larger = option.default + step
    fits = option.at_most is None or larger <= option.at_most
    return larger if fits else option.default - step


def as_text(value: Value) -> str:
    """Write a value as one would in the environment."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def setting(settings: Settings, option: Option) -> Value:
    """Read one option off the settings."""
    value: Value = getattr(getattr(settings, option.section), option.name)
    return value


def problems_of(
    *,
    file: Path | None = None,
    environ: dict[str, str] | None = None,
    flags: dict[str, str] | None = None,
) -> list[str]:
    """Load what must not be accepted and return the problems."""
    with pytest.raises(ConfigError) as caught:
        load(file=file, environ=environ or {}, flags=flags or {})
    return list(caught.value.problems)


def test_without_anything_every_option_is_at_its_default() -> None:
    """No file, no environment, no flags: the declared defaults."""
    assert load(file=None, environ={"PATH": "/bin"}, flags={}) == Settings()


@pytest.mark.parametrize(
    "option",
    # Those that other options or a form must fit have tests of their own.
    [o for o in OPTIONS.values() if o.key not in {"server.workers", "accounts.url"}],
    ids=lambda option: option.key,
)
def test_every_option_is_taken_from_all_three_places(option: Option, tmp_path: Path) -> None:
    """What is written in the file, the environment or a flag is what the settings say."""
    value = other_value(option)
    file = tmp_path / "groundswell.toml"
    file.write_text(f"[{option.section}]\n{option.name} = {toml(value)}\n", encoding="utf-8")
    environ = {option.environment_name: as_text(value)}
    flags = {option.key: as_text(value)}
    for settings in (
        load(file=file, environ={}, flags={}),
        load(file=None, environ=environ, flags={}),
        load(file=None, environ={}, flags=flags),
    ):
        assert setting(settings, option) == value
        expected = dataclasses.replace(
            Settings(),
            **{
                option.section: dataclasses.replace(
                    getattr(Settings(), option.section), **{option.name: value}
                )
            },
        )
        assert settings == expected  # and nothing else has changed


@pytest.mark.parametrize(
    "option",
    [o for o in OPTIONS.values() if o.at_least is not None],
    ids=lambda option: option.key,
)
def test_a_value_under_the_least_is_refused(option: Option) -> None:
    """The message names the place and the bound."""
    assert option.at_least is not None
    texts: dict[type, str] = {str: "x" * int(option.at_least - 1), tuple: ","}
    text = texts.get(option.kind, f"{option.at_least - 1:.15g}")
    (problem,) = problems_of(environ={option.environment_name: text})
    assert problem.startswith(option.environment_name)
    assert f"less than {option.at_least:.15g}" in problem


@pytest.mark.parametrize(
    "option",
    [o for o in OPTIONS.values() if o.at_most is not None],
    ids=lambda option: option.key,
)
def test_a_value_over_the_most_is_refused(option: Option) -> None:
    """The message names the place, the value and the bound."""
    assert option.at_most is not None
    text = f"{option.at_most + 1:.15g}"
    (problem,) = problems_of(flags={option.key: text})
    assert problem == f"{option.flag}: {text!r} is more than {option.at_most:.15g}" + (
        f" {option.unit}" if option.unit else ""
    )


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """The later place wins, and it is remembered which one did."""
    file = tmp_path / "c.toml"
    file.write_text("[server]\nport = 1\ninternal_port = 2\nbody_bytes = 3000\n", encoding="utf-8")
    configuration = read(
        file=file,
        environ={"GROUNDSWELL_SERVER_PORT": "11", "GROUNDSWELL_SERVER_INTERNAL_PORT": "12"},
        flags={"server.port": "21"},
    )
    server = configuration.settings.server
    assert (server.port, server.internal_port, server.body_bytes) == (21, 12, 3000)
    assert configuration.origins == {
        "server.port": "--port",
        "server.internal_port": "GROUNDSWELL_SERVER_INTERNAL_PORT",
        "server.body_bytes": f"server.body_bytes in {file}",
    }


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    """`GROUNDSWELL_CONFIG` is read where no file is given, and ignored where one is."""
    named, given = tmp_path / "named.toml", tmp_path / "given.toml"
    named.write_text("[server]\nport = 1\n", encoding="utf-8")
    given.write_text("[server]\nport = 2\n", encoding="utf-8")
    environ = {"GROUNDSWELL_CONFIG": str(named)}
    assert load(file=None, environ=environ, flags={}).server.port == 1
    assert load(file=given, environ=environ, flags={}).server.port == 2


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    """One run shows everything that is to be corrected, with a hint where there is one."""
    file = tmp_path / "c.toml"
    file.write_text(
        'prot = 1\n[server]\nprot = 1\nbody_bytes = "many"\n[rooms]\nsnapshot = 1\n',
        encoding="utf-8",
    )
    problems = problems_of(
        file=file,
        environ={"GROUNDSWELL_SERVER_PROT": "1", "GROUNDSWELL_ROOM_SNAPSHOT": "501"},
        flags={"room.slow_viewers": "drop", "romo.snapshot": "1"},
    )
    assert sorted(problems) == sorted(
        [
            f"{file}: unknown key outside a section 'prot'",
            f"server.prot in {file}: unknown option; did you mean server.port?",
            f"server.body_bytes in {file}: 'many' is not an integer",
            f"{file}: unknown section 'rooms'; did you mean room?",
            "GROUNDSWELL_SERVER_PROT: unknown environment variable; "
            "did you mean GROUNDSWELL_SERVER_PORT?",
            "GROUNDSWELL_ROOM_SNAPSHOT: '501' is more than 500 comments",
            "--set room.slow_viewers: 'drop' is not one of skip, close",
            "--set romo.snapshot: unknown option; did you mean room.snapshot?",
        ]
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("server.port = true", "True is not an integer"),
        ("server.port = 80.5", "80.5 is not an integer"),
        ("server.drain_time = inf", "inf is not a finite number"),
        ('limits.enabled = "yes"', "'yes' is not true or false"),
        ('server.roles = "broker"', "'broker' is not a list of texts"),
        ("server.origins = [1]", "[1] has an item that is not a text"),
        ("server.host = 1", "1 is not a text"),
        ('server.data = "a\\u0000b"', "'a\\x00b' has a NUL character"),
    ],
)
def test_the_file_is_strict_about_types(line: str, reason: str, tmp_path: Path) -> None:
    """TOML has types, so a value of another one is a mistake."""
    file = tmp_path / "c.toml"
    file.write_text(line, encoding="utf-8")
    (problem,) = problems_of(file=file)
    assert problem == f"{line.split()[0]} in {file}: {reason}"


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("server.port", "eighty", "is not an integer"),
        ("server.drain_time", "nan", "is not a finite number"),
        ("server.drain_time", "soon", "is not a number"),
        ("limits.enabled", "perhaps", "is not true or false"),
        ("server.data", "\udcff", "is not UTF-8 text"),
        ("server.roles", "broker,brewer", "has 'brewer', which is not one of"),
    ],
)
def test_text_that_is_no_value_is_refused(key: str, text: str, reason: str) -> None:
    """The environment and flags hold text; what cannot be read as the option's type is refused."""
    (problem,) = problems_of(flags={key: text})
    assert problem.startswith(f"{OPTIONS[key].flag}: {text!r} {reason}")


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    """The path and the reason are told."""
    missing = tmp_path / "missing.toml"
    assert problems_of(file=missing) == [f"{missing}: cannot be read: No such file or directory"]
    broken = tmp_path / "broken.toml"
    broken.write_text("[server\n", encoding="utf-8")
    (problem,) = problems_of(file=broken)
    assert problem.startswith(f"{broken}: is not TOML: ")


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    """`_file` works in all three places, without the line end that editors add."""
    secret_file = tmp_path / "secret"
    secret_file.write_text(SECRET + "\n", encoding="utf-8")
    file = tmp_path / "c.toml"
    file.write_text(f'[auth]\nsecret_file = "{secret_file}"\n', encoding="utf-8")
    for settings in (
        load(file=file, environ={}, flags={}),
        load(file=None, environ={"GROUNDSWELL_AUTH_SECRET_FILE": str(secret_file)}, flags={}),
        load(file=None, environ={}, flags={"auth.secret_file": str(secret_file)}),
    ):
        assert settings.auth.secret == SECRET


def test_a_secret_and_its_file_in_one_place_contradict() -> None:
    """Which of the two was meant cannot be known."""
    problems = problems_of(
        environ={"GROUNDSWELL_AUTH_SECRET": SECRET, "GROUNDSWELL_AUTH_SECRET_FILE": "/dev/null"}
    )
    assert (
        "GROUNDSWELL_AUTH_SECRET and GROUNDSWELL_AUTH_SECRET_FILE: "
        "both set auth.secret; keep one" in problems
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no secret: it is empty"),
        (b"\xff" * 40, "is not UTF-8 text"),
        (b"x" * 70_000, "holds no secret: it is too large"),
        (b"hunter2", "the secret in"),
    ],
)
def test_a_file_without_a_usable_secret_is_refused(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    """The file is named, its content is not shown."""
    secret_file = tmp_path / "secret"
    secret_file.write_bytes(content)
    (problem,) = problems_of(environ={"GROUNDSWELL_IDS_SECRET_FILE": str(secret_file)})
    assert str(secret_file) in problem
    assert reason in problem
    assert "hunter2" not in problem


def test_only_secrets_can_be_read_from_files() -> None:
    """`server.port_file` is nothing."""
    (problem,) = problems_of(flags={"server.port_file": "/dev/null"})
    assert problem.startswith("--set server.port_file: unknown option")


@pytest.mark.parametrize("name", ["auth", "ids"])
def test_a_refused_secret_is_not_shown(name: str, tmp_path: Path) -> None:
    """Neither from the environment nor from the file does a secret reach a message."""
    file = tmp_path / "c.toml"
    file.write_text(f'[{name}]\nsecret = ["hunter2"]\n', encoding="utf-8")
    problems = problems_of(file=file, environ={f"GROUNDSWELL_{name.upper()}_SECRET": "hunter2"})
    assert len(problems) == 2
    assert "hunter2" not in str(problems)


def test_other_names_with_our_prefix_are_let_through() -> None:
    """Switches that are no options do not stop the start."""
    environ = {"GROUNDSWELL_PURE": "1", "GROUNDSWELL_FAULTPOINT": "x", "GROUNDSWELL_SANITIZE": "1"}
    assert load(file=None, environ=environ, flags={}) == Settings()


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"room.tick_min": "1"}, "room.tick_min: 1 is more than room.tick_max, 0.25"),
        ({"server.data": ""}, "server.data: is empty; name a folder"),
        ({"server.roles": "broker,broker"}, "server.roles: names a role twice: broker, broker"),
        ({"server.port": "8081"}, "server.port and server.internal_port: both are 8081"),
        ({"auth.secret": SECRET, "ids.secret": SECRET}, "auth.secret and ids.secret: are the same"),
        ({"demo.video": "a b"}, "demo.video: 'a b' is not a video id"),
        ({"server.origins": "example.com"}, "server.origins: 'example.com' is not an origin"),
        ({"server.trusted_proxies": "10.0.0.1/8"}, "server.trusted_proxies: 10.0.0.1/8 has host"),
        ({"server.host": "192.0.2.1"}, "server.host: '192.0.2.1' is not loopback"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    flags: dict[str, str], problem: str
) -> None:
    """What bounds cannot say is checked on the whole, and said without the secret."""
    (found,) = problems_of(flags=flags)
    assert found.startswith(problem)
    assert SECRET not in found


def test_with_a_secret_of_your_own_every_address_may_be_served() -> None:
    """A secret is what the loopback rule waits for."""
    flags = {"server.host": "192.0.2.1", "auth.secret": SECRET}
    assert load(file=None, environ={}, flags=flags).server.host == "192.0.2.1"
    for host in ("127.0.0.2", "::1", "localhost"):
        assert load(file=None, environ={}, flags={"server.host": host}).server.host == host


def test_several_workers_need_shared_engines() -> None:
    """Each engine of one process is named, with what to choose instead; all chosen, it is good."""
    flags = {"server.workers": "3", "cache.engine": "redis"}
    (problem,) = problems_of(flags=flags)
    assert "3 processes cannot share log.engine = sqlite, store.engine = sqlite" in problem
    assert "cache.engine = memory" not in problem
    flags |= {
        "log.engine": "kafka",
        "store.engine": "cassandra",
        "accounts.url": "postgresql://h/d",
    }
    assert load(file=None, environ={}, flags=flags).server.workers == 3


def test_a_role_alone_needs_engines_that_it_shares_with_the_others() -> None:
    """On Kafka; one process of all roles may keep the other engines to itself."""
    flags = {"log.engine": "kafka", "server.roles": "ingest"}
    (problem,) = problems_of(flags=flags)
    assert "ingest alone cannot share store.engine = sqlite, cache.engine = memory" in problem
    flags["server.roles"] = "ingest,broker,persist"
    assert load(file=None, environ={}, flags=flags).log.engine == "kafka"


def test_an_accounts_url_of_another_kind_is_refused_without_being_shown() -> None:
    """It holds a password."""
    (problem,) = problems_of(flags={"accounts.url": "mysql://root:hunter2@host/db"})
    assert "accounts.url" in problem
    assert "hunter2" not in problem
