"""Sizes as people write them: 10M viewers, 16.6k comments, 64GiB, 25Gbit."""

import re

_COUNTS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_BYTES = {
    **{f"{prefix}B": factor for prefix, factor in _COUNTS.items()},
    **{
        f"{prefix}iB": 1024.0**power
        for power, prefix in enumerate(("", "K", "M", "G", "T"))
        if power
    },
    "TB": 1e12,
}
_BITS = {f"{prefix}bit": factor for prefix, factor in _COUNTS.items() if prefix}


def count(text: str) -> float:
    """Read a number with an optional k, M or G. Raises `ValueError` that says what is wrong.

    >>> count("10M"), count("16.6k"), count("16,666")
    (10000000.0, 16600.0, 16666.0)
    """
    return _read(text, _COUNTS, example="10M, 16.6k or 16666")


def size(text: str) -> float:
    """Read bytes: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB. Raises `ValueError`.

    >>> size("64GiB"), size("500B")
    (68719476736.0, 500.0)
    """
    return _read(text, _BYTES, example="64GiB or 500B")


def bandwidth(text: str) -> float:
    """Read kbit, Mbit or Gbit a second and return bytes a second. Raises `ValueError`.

    >>> bandwidth("25Gbit")
    3125000000.0
    """
    return _read(text.removesuffix("/s"), _BITS, example="25Gbit") / 8


def _read(text: str, factors: dict[str, float], *, example: str) -> float:
    match = re.fullmatch(r"\s*(\d[\d,]*(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is not a number with a unit, such as {example}")
    unit = match[2]
    if unit not in factors:
        known = ", ".join(name or "none" for name in factors)
        raise ValueError(f"{text!r} has the unit {unit or 'none'!r}; choose from {known}")
    return float(match[1].replace(",", "")) * factors[unit]


def of_bytes(amount: float) -> str:
    """Write bytes for people, in steps of 1,024.

    >>> of_bytes(68719476736), of_bytes(700)
    ('64 GiB', '700 B')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:,.4g} TiB" if amount < 10_000 else f"{amount:,.0f} TiB"


def of_bits(bytes_per_second: float) -> str:
    """Write bytes a second as bits a second, in steps of 1,000.

    >>> of_bits(3.125e9), of_bits(10)
    ('25 Gbit/s', '80 bit/s')
    """
    amount = 8 * bytes_per_second
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if amount < 1000:
            return f"{amount:.4g} {unit}"
        amount /= 1000
    return f"{amount:,.4g} Tbit/s" if amount < 10_000 else f"{amount:,.0f} Tbit/s"
