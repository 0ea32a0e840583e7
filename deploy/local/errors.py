"""What can go wrong with a stack of engines, in words for the person at the terminal."""


class StackError(Exception):
    """The stack cannot do what was asked. `hint` says what helps, where we know it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n{self.hint}" if self.hint else message
