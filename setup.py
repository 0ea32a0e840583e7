"""The native modules; everything else about the distribution stands in pyproject.toml.

Environment:
    BUILD_EXTENSION: `yes`: a failing compiler fails the build; `no`: pure Python; `auto` (default):
        native where it compiles, else pure.
    GROUNDSWELL_SANITIZE: `1` builds with the address and undefined behaviour sanitizers; tests
        then run with LD_PRELOAD="$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0.
"""

import os
import sys

from setuptools import Extension, setup

MODULES = ("_frames", "_parser", "_utf8", "_websocket")


def extensions() -> list[Extension]:
    """Return the extension modules to build, none for a pure distribution."""
    choice = os.environ.get("BUILD_EXTENSION", "auto")
    if choice not in ("yes", "no", "auto"):
        sys.exit(f"BUILD_EXTENSION is {choice!r}, must be yes, no or auto")
    if choice == "no":
        return []

    from Cython.Build import cythonize

    compile_args, link_args = arguments()
    modules = cythonize(
        [
            Extension(
                f"groundswell.cext.{name}",
                [f"groundswell/cext/{name}.pyx"],
                extra_compile_args=compile_args,
                extra_link_args=link_args,
            )
            for name in MODULES
        ],
        build_dir="build/cython",  # keeps C files out of the package
    )
    for module in modules:
        # Here and not on the Extension above: cythonize makes new objects without it.
        module.optional = choice == "auto"
    return modules


def arguments() -> tuple[list[str], list[str]]:
    """Return the arguments of compiler and linker."""
    if os.name == "nt":
        return ["/O2"], []
    # Signed overflow wraps: a slip must not be undefined behaviour in code that reads strangers.
    compile_args = ["-O3", "-fno-strict-overflow"]
    if os.environ.get("GROUNDSWELL_SANITIZE") != "1":
        return compile_args, []
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    return ["-O1", "-g", "-fno-omit-frame-pointer", *sanitize], sanitize


setup(ext_modules=extensions())
