"""The declared options as a table: what each is called in the file, the environment and flags."""

from dataclasses import dataclass, fields
from typing import Any, Final

from groundswell.contract.settings import Settings

PREFIX: Final = "GROUNDSWELL_"
CONFIG_FILE: Final = "GROUNDSWELL_CONFIG"  # names the file where no --config does

# Names with our prefix that are no options: they choose code or files, not behaviour.
OTHER_ENVIRONMENT: Final = frozenset(
    {
        CONFIG_FILE,
        "GROUNDSWELL_PURE",
        "GROUNDSWELL_FAULTPOINT",
        "GROUNDSWELL_SANITIZE",
        "GROUNDSWELL_WORKER",  # what a supervisor says to its workers
        "GROUNDSWELL_WORKER_FOLDER",
        "GROUNDSWELL_STACK_FOLDER",  # of deploy/local, which runs beside servers
        "GROUNDSWELL_STACK_CACHE",
    }
)

# Options with a flag of their own; all others are set with `--set section.name=value`.
FLAGS: Final = {
    "server.host": "--host",
    "server.port": "--port",
    "server.internal_port": "--internal-port",
    "server.data": "--data",
    "server.roles": "--roles",
    "server.workers": "--workers",
    "demo.enabled": "--demo",
}

Value = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One declared option; `kind` is what its value is."""

    section: str
    name: str
    kind: type[str] | type[int] | type[float] | type[bool] | type[tuple[str, ...]]
    default: Value
    help: str
    unit: str | None
    at_least: float | None
    at_most: float | None
    choices: tuple[str, ...] | None
    secret: bool

    @property
    def key(self) -> str:
        """Its name everywhere but in the environment: `section.name`."""
        return f"{self.section}.{self.name}"

    @property
    def environment_name(self) -> str:
        """Its name in the environment."""
        return f"{PREFIX}{self.section}_{self.name}".upper()

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return FLAGS.get(self.key, f"--set {self.key}")


def _option(section: str, name: str, kind: Any, default: Any, facts: Any) -> Option:
    # tuple[str, ...] is declared as a generic alias; its origin is the class we switch on.
    kind = getattr(kind, "__origin__", kind)
    return Option(section=section, name=name, kind=kind, default=default, **facts)


SECTIONS: Final[dict[str, type]] = {field.name: field.type for field in fields(Settings)}  # type: ignore[misc]  # field.type is a class there: settings.py has no deferred annotations

OPTIONS: Final[dict[str, Option]] = {
    f"{section}.{field.name}": _option(
        section, field.name, field.type, field.default, field.metadata
    )
    for section, kind in SECTIONS.items()
    for field in fields(kind)
}
