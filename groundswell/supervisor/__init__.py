"""Several workers that share the public port, and one parent that keeps them running.

The parent starts `server.workers` processes of the command that it was started with, each with a
number and a private folder in its environment. It serves nobody itself: the kernel spreads
connections over the workers (SO_REUSEPORT). It listens on the internal port, and answers there for
all of them by asking each on a Unix socket in that folder.
"""
