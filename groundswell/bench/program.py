"""The command `groundswell` that is measured: of this environment, or the one that was chosen."""

import sys
from pathlib import Path

from groundswell.bench.native_tools import ToolFailed

_chosen: Path | None = None


def choose(path: Path | None) -> None:
    """Measure this program from now on; None: that of this environment again."""
    global _chosen  # one program a process, told once by the command line
    _chosen = path


def groundswell_program() -> Path:
    """Return the path of the command `groundswell`.

    Raises:
        ToolFailed: the project is not installed in this environment.
    """
    program = _chosen or Path(sys.executable).with_name("groundswell")
    if not program.exists():
        raise ToolFailed(f"{program} is not there: install the project in this environment")
    return program


def folder() -> Path:
    """Return a folder of the checkout that the program is of, where it is of one."""
    return _chosen.parent if _chosen else Path(__file__).parent
