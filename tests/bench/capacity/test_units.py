"""Unit costs are read out of result files, and say where they come from."""

import json

import msgspec
import pytest

from groundswell.bench.capacity.units import (
    UNITS,
    UnitsUnusable,
    of_result,
    read_units,
    reference_files,
)
from groundswell.bench.results import Result


def cluster(scenario, *rows):
    """Return a result of real engines."""
    machine = {"cpu": "a CPU", "cores": 2, "commit": "def", "time": "today"}
    return {"scenario": scenario, "machine": machine, "settings": {}, "rows": list(rows)}


def test_a_calibration_tells_all_but_what_needs_engines_or_root(calibration):
    """The costs that made its legs come out, each with file, commit and machine."""
    units = of_result(msgspec.convert(calibration, Result), file="one.json")
    assert UNITS.keys() - units.keys() == {
        "viewer's kernel",
        "Cassandra comment",
        "Cassandra reaction",
    }
    assert units["write"].value == pytest.approx(8)
    assert units["byte"].value == pytest.approx(0.0005)
    assert units["idle"].value == pytest.approx(1)
    assert units["post"].points[0] == (8.0, pytest.approx(500))
    assert units["post"].value == 100
    source = units["viewer"].source
    assert (source.file, source.commit, source.machine) == ("one.json", "abc", "a CPU, 2 cores")


def test_a_figure_says_what_bounds_it(calibration):
    """The client that filled its core, or what else is in the figure."""
    units = of_result(msgspec.convert(calibration, Result), file="one.json")
    assert units["join"].note == "bounded by viewers"
    assert units["counted reaction"].note.startswith("at least")


def test_results_of_engines_replace_what_one_machine_can_only_bound(calibration, tmp_path):
    """The later file counts."""
    row = {"bounded by": "", "cassandra us": 11.0}
    results = [
        calibration,
        cluster(
            "cluster-ingest",
            {"server": "ingest", "posts/s": 1.0, "CPU us/post": 1.0, "bounded by": ""},
            {
                "server": "ingest, limits and keys",
                "posts/s": 4000.0,
                "CPU us/post": 240.0,
                "bounded by": "server",
            },
        ),
        cluster(
            "cluster-reactions",
            {"cache": "memory", "reactions/s": 9e4, "CPU us/reaction": 55.0, "bounded by": ""},
            {"cache": "redis", "reactions/s": 7e3, "CPU us/reaction": 88.0, "bounded by": ""},
        ),
        cluster("cluster-persist", {"writer": "persist", "CPU us/row": 11.4, **row}),
        cluster("cluster-tally", {"leg": "rows in the store", "CPU us/reaction": 16.4, **row}),
    ]
    files = []
    for number, result in enumerate(results):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(result))
    units = read_units(files)
    assert units["post"].points == ((4000.0, 240.0),)
    assert units["reaction"].value == 88
    assert units["stored comment"].value == 11.4
    assert units["counted reaction"].value == 16.4
    assert units["Cassandra reaction"].value == 11
    assert units["write"].source.file == "0.json"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not a result of the bench"),
        ("[]", "is not a result of the bench"),
        ('{"scenario": "x"}', "is not a result of the bench"),
        ('{"scenario": "one", "machine": {}, "settings": {}, "rows": []}', "tells no unit"),
        (
            '{"scenario": "cluster-persist", "machine": {}, "settings": {}, "rows": []}',
            "lacks rows",
        ),
        ('{"scenario": "calibrate", "machine": {}, "settings": {}, "rows": []}', "lacks rows"),
        (
            '{"scenario": "calibrate", "machine": {}, "settings": {}, "rows": [],'
            ' "complete": false, "reason": "interrupted"}',
            "not complete: interrupted",
        ),
    ],
)
def test_a_file_that_tells_nothing_is_refused_by_name(tmp_path, text, said):
    """And the reason is said."""
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(UnitsUnusable, match=said) as refused:
        read_units([file])
    assert "bad.json" in str(refused.value)


def test_the_reference_machine_has_all_that_a_plan_needs():
    """What comes with the package was written by the command, with its commit and machine."""
    units = read_units(reference_files())
    assert {"Cassandra comment", "Cassandra reaction"} >= UNITS.keys() - units.keys()
    assert all(unit.source.commit for unit in units.values())
    assert 1 < units["write"].value < 100
    assert 50 < units["comment"].value < 1000
