"""From what somebody wrote to the value of an option, or the reason why not."""

import math

from groundswell.config.options import Option, Value

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})

KIND_NAMES: dict[type, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    tuple: "list of texts",
}


def from_text(option: Option, text: str) -> Value:
    """Read a value out of the environment or a flag; raises `ValueError` with the reason."""
    value: Value
    if option.kind is bool:
        word = text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError("is not true or false")
        value = word in _TRUE
    elif option.kind is int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError("is not an integer") from None
    elif option.kind is float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError("is not a number") from None
    elif option.kind is tuple:
        value = tuple(item.strip() for item in text.split(",") if item.strip())
    else:
        value = text
    return checked(option, value)


def from_toml(option: Option, raw: object) -> Value:
    """Take a value out of a TOML file; raises `ValueError` with the reason."""
    value: Value
    # bool first: it is an int to Python, but "port = true" is a mistake.
    if isinstance(raw, bool) and option.kind is bool:
        value = raw
    elif isinstance(raw, bool):
        raise ValueError(f"is not {_a(option)}")
    elif option.kind is float and isinstance(raw, int | float):
        value = float(raw)
    elif option.kind is tuple and isinstance(raw, list):
        if not all(isinstance(item, str) for item in raw):
            raise ValueError("has an item that is not a text")
        value = tuple(raw)
    elif option.kind in (int, str) and isinstance(raw, option.kind):
        value = raw
    else:
        raise ValueError(f"is not {_a(option)}")
    return checked(option, value)


def checked(option: Option, value: Value) -> Value:
    """Return the value if it is within the declared bounds; else `ValueError` says which."""
    if option.choices is not None:
        for item in value if isinstance(value, tuple) else (value,):
            if item not in option.choices:
                which = f"has {item!r}, which is not" if isinstance(value, tuple) else "is not"
                raise ValueError(f"{which} one of {', '.join(option.choices)}")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("has a NUL character")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:  # bytes of the environment that were no UTF-8
            raise ValueError("is not UTF-8 text") from None
        if size:
            _check_bounds(option, size, noun=" bytes")
    elif isinstance(value, tuple):
        if not value and option.at_least:
            raise ValueError(f"is an empty list, less than {_items(option.at_least)}")
        _check_bounds(option, len(value), noun=" items")
    else:
        if not math.isfinite(value):
            raise ValueError("is not a finite number")
        _check_bounds(option, value, noun=f" {option.unit}" if option.unit else "")
    return value


def _check_bounds(option: Option, size: float, *, noun: str) -> None:
    counted = option.kind in (str, tuple)
    verb = f"has {size:.15g}{noun}, " if counted else "is "
    if option.at_least is not None and size < option.at_least:
        raise ValueError(f"{verb}less than {option.at_least:.15g}{noun}")
    if option.at_most is not None and size > option.at_most:
        raise ValueError(f"{verb}more than {option.at_most:.15g}{noun}")


def _a(option: Option) -> str:
    name = KIND_NAMES[option.kind]
    return name if option.kind is bool else f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _items(number: float) -> str:
    return "1 item" if number == 1 else f"{number:.15g} items"
