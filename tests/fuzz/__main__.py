"""Fuzz one target with libFuzzer in this process: `python -m tests.fuzz TARGET [ARGUMENT...]`.

The arguments are libFuzzer's (https://llvm.org/docs/LibFuzzer.html). `scripts/fuzz` builds what
must be preloaded, and starts this.
"""

import argparse
import ctypes
import os
import sys
import traceback

import groundswell
from tests.fuzz.lines import Lines
from tests.fuzz.targets import TARGETS

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)


def main() -> int:
    """Run until libFuzzer ends."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("target", choices=TARGETS)
    target, arguments = options.parse_known_args()
    row = TARGETS[target.target]
    # Not CDLL: the interpreter stays ours during the run, so that a call back costs little.
    libfuzzer = ctypes.PyDLL(os.environ["GROUNDSWELL_LIBFUZZER"])
    run = row.make()
    package = os.path.dirname(groundswell.__file__)
    lines = Lines(libfuzzer, [os.path.join(package, name) for name in row.watched])

    def one_input(data: int, size: int) -> int:
        try:
            with lines:
                run(ctypes.string_at(data, size))
        except BaseException:  # noqa: BLE001 - whatever it is, it is a finding
            traceback.print_exc()
            sys.stderr.flush()
            os.abort()  # libFuzzer writes the input down
        return 0

    words = [b"fuzz", *(word.encode() for word in arguments), b"-max_len=%d" % row.input_bytes]
    if row.words is not None:
        words.append(b"-dict=" + os.path.join(os.path.dirname(__file__), row.words).encode())
    count = ctypes.c_int(len(words))
    values = ctypes.pointer((ctypes.c_char_p * (len(words) + 1))(*words, None))
    status: int = libfuzzer.LLVMFuzzerRunDriver(
        ctypes.byref(count), ctypes.byref(values), CALLBACK(one_input)
    )
    run.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
