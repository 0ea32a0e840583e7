"""Configuration: a TOML file, then the environment, then flags; each later one wins.

Options are declared in `groundswell/contract/settings.py` and nowhere else. This package derives
from them what can be written where, what is refused, and the documentation.
"""

from groundswell.config.errors import ConfigError
from groundswell.config.load import Configuration, load, read
from groundswell.config.options import FLAGS, OPTIONS, Option
from groundswell.config.render import docs, init, show

__all__ = [
    "load",
    "read",
    "Configuration",
    "ConfigError",
    "show",
    "docs",
    "init",
    "Option",
    "OPTIONS",
    "FLAGS",
]
