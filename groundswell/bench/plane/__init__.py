"""Scenarios of the live plane: joining, idling, the uplink, rooms beside each other, one comment.

Each is a command of its own; `groundswell bench plane` runs them all beside the targets.
"""
