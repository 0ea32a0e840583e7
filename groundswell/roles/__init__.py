"""The only place that wires a process: which engines, which roles, in which order.

`serve` runs a process, `Process` is its life, `Engines` are chosen by the configuration, and each
role is put together in a file of its own: `write_path`, `live_path`, `durable_path`.
"""

from groundswell.roles.serve import serve

__all__ = ["serve"]
