"""The native modules; everything else about the distribution stands in pyproject.toml.

Environment:
    BUILD_EXTENSION: `yes`: a failing compiler fails the build; `no`: pure Python; `auto` (default):
        native where it compiles, else pure.
    GROUNDSWELL_SANITIZE: `address` (with undefined behaviour) or `thread` builds with these
        sanitizers; scripts/test-sanitized runs the native tests with them. `fuzz`, for clang, is
        `address` that also tells libFuzzer what was reached (scripts/fuzz).
"""

import glob
import os
import sys
from typing import Any

from setuptools import Extension, setup

MODULES = ("_frames", "_parser", "_request", "_utf8", "_websocket")
SANITIZERS = {
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    "fuzz": [
        "-fsanitize=fuzzer-no-link,address,undefined",
        "-fno-sanitize-recover=undefined",
        "-shared-libasan",  # preloaded into a Python that is built without it
    ],
    "thread": ["-fsanitize=thread"],
}
HUB = "groundswell/cext/hub"  # plain C, for Linux: epoll and eventfd


def extensions() -> list[Extension]:
    """Return the extension modules to build, none for a pure distribution."""
    choice = os.environ.get("BUILD_EXTENSION", "auto")
    if choice not in ("yes", "no", "auto"):
        sys.exit(f"BUILD_EXTENSION is {choice!r}, must be yes, no or auto")
    if choice == "no":
        return []

    from Cython.Build import cythonize

    modules = cythonize(
        [extension(name) for name in MODULES] + ([hub()] if sys.platform == "linux" else []),
        build_dir="build/cython",  # keeps C files out of the package
    )
    for module in modules:
        # Here and not on the Extension above: cythonize makes new objects without it.
        module.optional = choice == "auto"
    return modules


def extension(name: str, sources: tuple[str, ...] = (), **options: Any) -> Extension:
    """Return one module of its .pyx and these C files."""
    compile_args, link_args = arguments()
    return Extension(
        f"groundswell.cext.{name}",
        [f"groundswell/cext/{name}.pyx", *sources],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        **options,
    )


def hub() -> Extension:
    """Return the hub with its threads."""
    return extension(
        "_hub",
        tuple(sorted(glob.glob(f"{HUB}/*.c"))),
        depends=sorted(glob.glob(f"{HUB}/*.h")),
        include_dirs=[HUB],
        define_macros=[("_GNU_SOURCE", None)],
        libraries=["pthread"],
    )


def arguments() -> tuple[list[str], list[str]]:
    """Return the arguments of compiler and linker."""
    if os.name == "nt":
        return ["/O2"], []
    # Signed overflow wraps: a slip must not be undefined behaviour in code that reads strangers.
    compile_args = ["-O3", "-fno-strict-overflow"]
    sanitizers = os.environ.get("GROUNDSWELL_SANITIZE")
    if not sanitizers:
        return compile_args, []
    sanitize = SANITIZERS[sanitizers]
    return ["-O1", "-g", "-fno-omit-frame-pointer", *sanitize], sanitize


setup(ext_modules=extensions())
