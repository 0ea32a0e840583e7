"""The real engines on a plain machine: Kafka, Cassandra, Redis and PostgreSQL without containers.

Everything listens on the loopback network and lives in one folder. `python3 -m deploy.local --help`
is the command; tests import `Stack` and `Plan`. Standard library only.
"""

from deploy.local.errors import StackError
from deploy.local.nodes import NodeStatus
from deploy.local.plan import Plan
from deploy.local.stack import Stack

__all__ = ["Stack", "Plan", "NodeStatus", "StackError"]
