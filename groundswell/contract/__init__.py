"""What the roles agree on: events, ids, positions, wire messages, ports.

Nothing in this package performs I/O and nothing in it imports another package of ours.
"""
