"""Files of results: what is written is read again, and what is no result is refused."""

import json
import os

import pytest

from groundswell.bench.results import FORMAT, ResultUnusable, load, load_all, pooled
from tests.bench import shapes


def test_a_result_is_read_as_it_was_written(tmp_path):
    """With its format's number, and complete where nothing cut it."""
    path = shapes.write(
        tmp_path, "fanout", shapes.fanout_rows(), command="groundswell bench fanout"
    )
    written = json.loads(path.read_text())
    assert written["format"] == FORMAT
    assert {"scenario", "machine", "settings", "rows", "details"} <= written.keys()
    result = load(path)
    assert (result.scenario, result.complete, result.reason) == ("fanout", True, None)
    assert result.rows == shapes.fanout_rows()
    assert result.machine["commit"] == "94c4f8e00000"
    assert result.command == "groundswell bench fanout"


def test_a_file_from_before_formats_had_numbers_is_read(tmp_path):
    """It has five keys, and was only written of whole runs."""
    path = tmp_path / "ingest-1.json"
    old = {"scenario": "ingest", "machine": {}, "settings": {}, "rows": [], "details": []}
    path.write_text(json.dumps(old))
    assert (load(path).format, load(path).complete) == (0, True)


def test_a_cut_run_is_told_from_a_whole_one(tmp_path):
    """With its reason and the rows that it had."""
    path = shapes.write(tmp_path, "fanout", shapes.fanout_rows()[:1], reason="disk full")
    result = load(path)
    assert (result.complete, result.reason, len(result.rows)) == (False, "disk full", 1)


def test_rounds_are_summed_up_beside_the_rows(tmp_path):
    """Median, lowest and highest of each leg; nothing where there is one round."""
    path = shapes.write(tmp_path, "ingest", shapes.ingest_rows(100.0, 400.0, 110.0))
    (bare, ours) = load(path).summary
    assert bare["server"] == "bare_post"
    assert ours["posts/s"] == {"median": 110.0, "low": 100.0, "high": 400.0, "rounds": 3}
    assert "lag end" not in bare
    assert load(shapes.write(tmp_path, "ingest", shapes.ingest_rows(100.0))).summary == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not a result"),
        ('{"scenario": "x"}', "missing required field"),
        ('{"format": 99, "scenario": "x", "machine": {}, "settings": {}, "rows": []}', "format 99"),
    ],
)
def test_what_is_no_result_is_refused_by_its_name(tmp_path, text, told):
    """Broken JSON, other JSON, and a format of the future."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ResultUnusable, match=told) as refused:
        load(path)
    assert str(path) in str(refused.value)


def test_a_folder_is_all_its_results_and_an_empty_one_an_error(tmp_path):
    """Files that are named beside it are read too."""
    folder = tmp_path / "a"
    shapes.write(folder, "fanout", shapes.fanout_rows())
    alone = shapes.write(tmp_path / "b", "ingest", shapes.ingest_rows(100.0))
    assert [one.scenario for one in load_all([folder, alone])] == ["fanout", "ingest"]
    with pytest.raises(ResultUnusable, match=r"no \*\.json"):
        load_all([tmp_path])


def test_two_results_of_one_second_are_two_files(tmp_path):
    """None takes the other's place."""
    paths = {shapes.write(tmp_path, "fanout", shapes.fanout_rows()) for _ in range(3)}
    assert len(paths) == 3


def test_a_result_that_cannot_be_written_leaves_no_half_of_it(tmp_path):
    """What cannot be JSON, say."""
    with pytest.raises(TypeError):
        shapes.write(tmp_path, "fanout", [{"server": object()}])
    assert os.listdir(tmp_path) == []


def test_files_of_one_commit_machine_and_settings_are_rounds_of_one(tmp_path):
    """Another commit is another pool; a scenario in `plane` is one as if measured alone."""
    for rate in (100.0, 120.0):
        shapes.write(tmp_path, "ingest", shapes.ingest_rows(rate))
    newer = shapes.MACHINE | {"commit": "fffffff"}
    shapes.write(tmp_path, "ingest", shapes.ingest_rows(130.0), machine=newer)
    shapes.write(
        tmp_path,
        "plane",
        shapes.plane_rows(),
        tables={"sweep": shapes.sweep_rows(), "joins": [{"server": "limit"}]},
        cut={"joins": "it ended"},
        reason="joins: it ended",
    )
    pools = {
        (pool.first.scenario, pool.first.machine["commit"]): pool
        for pool in pooled(load_all([tmp_path]))
    }
    assert len(pools) == 5
    assert len(pools["ingest", "94c4f8e00000"].results) == 2
    assert len(pools["ingest", "94c4f8e00000"].rows) == 4
    assert pools["sweep", "94c4f8e00000"].reasons == []
    assert pools["joins", "94c4f8e00000"].reasons == ["it ended"]
