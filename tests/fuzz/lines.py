"""Tells libFuzzer which lines of our Python an input has reached, as a compiler does for C."""

import ctypes
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

COUNTERS = 1 << 12  # a power of two; more than the watched files have lines


class Lines:
    """Counts transitions between lines of the watched files; within `with` only."""

    def __init__(self, libfuzzer: ctypes.PyDLL, files: Sequence[str]) -> None:
        self._files = {file: 131 * i for i, file in enumerate(files)}
        self._counters = (ctypes.c_uint8 * COUNTERS)()
        # Two words each: an address, which need only differ, and flags.
        self._addresses = (ctypes.c_size_t * (2 * COUNTERS))(
            *(word for i in range(COUNTERS) for word in (4096 + i, 0))
        )
        if not files:
            return
        for name, array in (
            ("__sanitizer_cov_8bit_counters_init", self._counters),
            ("__sanitizer_cov_pcs_init", self._addresses),
        ):
            start = ctypes.addressof(array)
            getattr(libfuzzer, name)(
                ctypes.c_void_p(start), ctypes.c_void_p(start + ctypes.sizeof(array))
            )

    def __enter__(self) -> None:
        if self._files:
            sys.settrace(self._enter)

    def __exit__(self, *_: object) -> None:
        if self._files:
            sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        base = self._files.get(frame.f_code.co_filename)
        if base is None:
            return None
        last = 0

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if event == "line":
                here = base + frame.f_lineno * 7
                place = (here ^ last) & (COUNTERS - 1)
                last = here >> 1
                if self._counters[place] < 255:
                    self._counters[place] += 1
            return trace

        return trace
