"""Another checkout's server is measured, and two in turn; what cannot be built says why."""

import json
import sys

import pytest
from click.testing import CliRunner

from groundswell.bench import commits, program
from groundswell.bench.command import bench
from groundswell.bench.native_tools import ToolFailed

SCENARIO = ["fanout", "--viewers", "3", "--rates", "20", "--seconds", "0.1", "--servers", "limit"]


@pytest.fixture
def stub(tmp_path):
    """A `groundswell` that says what it was asked and ends."""
    path = tmp_path / "groundswell"
    path.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('asked to ' + sys.argv[1])\n")
    path.chmod(0o755)
    return path


def test_the_program_that_was_chosen_is_measured_and_forgotten(tmp_path, stub):
    """Its failure is told with its own words; the next command has that of this environment."""
    arguments = ["--program", str(stub), "fanout", "--servers", "groundswell", "--viewers", "1"]
    done = CliRunner().invoke(bench, [*arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "groundswell ended with 1" in done.output
    assert "asked to serve" in done.output
    assert program.groundswell_program() != stub


def test_a_result_says_which_program_was_measured(tmp_path, stub):
    """In the command that measures it again."""
    out = tmp_path / "out"
    arguments = ["--program", str(stub), *SCENARIO, "--out", str(out)]
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 0, done.output
    (path,) = out.glob("*.json")
    result = json.loads(path.read_text())
    assert result["command"].startswith(f"groundswell bench --program {stub} fanout --")


def test_two_programs_take_turns(tmp_path, stub):
    """A B A B, each with a folder of its results."""
    told = []
    folders = (tmp_path / "a", tmp_path / "b")
    commits.measure((stub, stub), [SCENARIO], rounds=2, folders=folders, tell=told.append)
    assert [text[-1] for text in told] == ["A", "B", "A", "B"]
    assert [len(list(folder.glob("*.json"))) for folder in folders] == [2, 2]


def test_a_run_that_is_cut_ends_the_comparison(tmp_path, stub):
    """Nothing is concluded from half of it."""
    scenario = [*SCENARIO[:-1], "groundswell"]
    with pytest.raises(ToolFailed, match="of A is not complete"):
        commits.measure(
            (stub, stub),
            [scenario],
            rounds=1,
            folders=(tmp_path / "a", tmp_path / "b"),
            tell=lambda _text: None,
        )


def test_a_revision_that_does_not_exist_is_refused_before_anything_is_built():
    """With git's own words."""
    with pytest.raises(ToolFailed, match="git rev-parse"), commits.built("no-such-revision"):
        pytest.fail("it was built")


@pytest.mark.parametrize("arguments", [["a", "b", "fanout"], ["--commits", "a", "b"]])
def test_scenarios_and_revisions_belong_together(arguments):
    """One without the other is a mistake."""
    done = CliRunner().invoke(bench, ["compare", *arguments])
    assert done.exit_code == 2
    assert "--commits needs one" in done.output
