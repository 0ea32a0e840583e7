"""What keeps a process from starting."""


class StartFailed(Exception):
    """The server cannot start as things are; the text says what to do."""
