"""The C tools compile once, cleanly, and say what they do not understand."""

import subprocess

import pytest

from groundswell.bench import native_tools


def test_tools_compile_without_a_warning(tools):
    """The fixture compiles with -Wall -Wextra -Werror; all programs are there."""
    assert all(path.stat().st_mode & 0o100 for path in (tools.viewers, tools.limit, tools.writers))


def test_tools_are_compiled_once_for_the_same_sources(tmp_path):
    """A second call finds the first one's programs."""
    first = native_tools.compile_tools(tmp_path)
    made = first.viewers.stat().st_mtime_ns
    assert native_tools.compile_tools(tmp_path) == first
    assert first.viewers.stat().st_mtime_ns == made


def test_a_machine_without_a_compiler_is_told_so(tmp_path, monkeypatch):
    """The error names what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(native_tools.ToolFailed, match="C compiler"):
        native_tools.compile_tools(tmp_path)


@pytest.mark.parametrize("arguments", [["--vewers", "5"], ["--port", "many"], ["--port"]])
def test_an_option_that_is_not_understood_ends_a_tool(tools, arguments):
    """No tool guesses, and none prints a result after a wrong option."""
    done = subprocess.run([tools.viewers, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert arguments[0] in done.stderr
