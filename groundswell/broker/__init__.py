"""The live path: from the log to viewers' screens.

A record's way through these files: `partition.py` reads it from the log and decides what every
broker decides alike (duplicate, shown or left out), `backlog.py` remembers it for those who
resume, `room.py` gathers it and flushes a frame at the next tick, `ring.py` keeps the frame,
`plane.py` says what carries it to sockets, `asyncio_plane.py` and `native_plane.py` do.
`session.py` is what a viewer sends, `handshake.py` how a stream starts, `reads.py` what GET and
`welcome` are made of.

All objects here belong to the event loop's thread.
"""
