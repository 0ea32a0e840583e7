"""The durable path: projections of the log, and the store that they write.

Reading order: `projection.py` (the loop that every projection shares), `comments.py`, `tally.py`,
then the embedded store: `sqlite_store.py`, `writer.py`, `schema.py`, `writes.py`, `reads.py`;
and the one for clusters, from `cassandra_store.py` on.
"""
