"""A mapping by handle for what is kept of every viewer: 16 bytes each, where a dict takes 110.

A dict needs an object for each handle, its hash and room to spare. This one keeps handles and
values in pages, at the place that the plane gave the connection (`plane.PLACES`).
"""

from array import array
from collections.abc import Iterator
from typing import Generic, TypeVar

from groundswell.broker.plane import PLACES, Handle

PAGE = 256  # places; 4 KB, which a plane with one viewer takes too

Value = TypeVar("Value")


class _Page(Generic[Value]):
    """The places from a multiple of `PAGE` on. A handle counts only where there is a value."""

    __slots__ = ("handles", "used", "values")

    def __init__(self) -> None:
        self.handles = array("Q", bytes(8 * PAGE))
        self.values: list[Value | None] = [None] * PAGE
        self.used = 0


class ByHandle(Generic[Value]):
    """Values by handle; None is no value. May be changed while it is gone through."""

    def __init__(self) -> None:
        self._pages: dict[int, _Page[Value]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, handle: Handle, value: Value) -> None:
        number, at = divmod(handle % PLACES, PAGE)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = _Page()
        if page.values[at] is None:
            page.used += 1
            self._count += 1
        page.handles[at] = handle
        page.values[at] = value

    def get(self, handle: Handle) -> Value | None:
        """Return the value of a handle, None also of an earlier one at the same place."""
        number, at = divmod(handle % PLACES, PAGE)
        page = self._pages.get(number)
        return page.values[at] if page is not None and page.handles[at] == handle else None

    def pop(self, handle: Handle) -> None:
        """Forget a handle; an unknown one: nothing."""
        if self.get(handle) is None:
            return
        number, at = divmod(handle % PLACES, PAGE)
        page = self._pages[number]
        page.values[at] = None
        page.used -= 1
        self._count -= 1
        if not page.used:
            del self._pages[number]

    def items(self) -> Iterator[tuple[Handle, Value]]:
        """Go through all; who comes or goes meanwhile is met or not."""
        for page in tuple(self._pages.values()):
            for at in range(PAGE):
                value = page.values[at]
                if value is not None:
                    yield page.handles[at], value
