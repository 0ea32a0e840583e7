"""`groundswell bench`: figures beside the limit of the machine and beside peers."""

from groundswell.bench.command import bench as command

__all__ = ["command"]
