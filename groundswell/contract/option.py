"""How an option is declared: default, help, unit, bounds, choices, secret or not."""

from dataclasses import field
from typing import Any


def opt(
    default: Any,
    *,
    help: str,
    unit: str | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: tuple[str, ...] | None = None,
    secret: bool = False,
) -> Any:
    """Declare an option; the result is a dataclass field with the facts in its metadata.

    Bounds of a number are bounds of its value, of a text of its length in bytes unless it is
    empty, of a list of how many items it has. `choices` hold for a text and each item of a list.
    """
    facts = {
        "help": help,
        "unit": unit,
        "at_least": at_least,
        "at_most": at_most,
        "choices": choices,
        "secret": secret,
    }
    return field(default=default, metadata=facts)
