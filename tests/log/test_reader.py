"""Reading the file: packed rows and the search by time, against plain lists."""

import tempfile
from bisect import bisect_left
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.contract.ports.log import Record
from groundswell.log.database import Database
from groundswell.log.reader import Reader
from groundswell.log.schema import rowid

LANE = 3
BYTES = st.none() | st.binary(max_size=30)


class Steps:
    """A clock that the test sets."""

    now = 0

    def wall_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000


def write(path, batches, gone):
    """Write batches of `(ms later, [(key, value), ...])`, delete some; return the rest."""
    clock = Steps()
    database = Database(path, clock=clock, partitions=4, max_bytes=None)
    records = []
    for later, rows in batches:
        clock.now += later
        if rows:
            written = database.write([(None, LANE, key, value) for key, value in rows], {})
            records += written.records
    connection = database._connection
    for offset in gone:
        connection.execute("DELETE FROM records WHERE id = ?", (rowid(LANE, offset),))
    database.close()
    return [record for record in records if record.offset not in gone], len(records)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.tuples(BYTES, BYTES), max_size=9)), max_size=12
    ),
    st.sets(st.integers(0, 40)),
    st.integers(1, 7),
)
def test_what_was_written_is_found_whatever_is_missing_between(batches, gone, limit):
    """Bytes, NULL and empty ones, in slices of any size, and by any time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        records, end = write(path, batches, gone)
        reader = Reader(path)

        found, offset = [], 0
        while offset < end:
            slice_, after = reader.read(LANE, offset, end, limit)
            assert len(slice_) <= limit
            assert after > offset
            found += slice_
            offset = after
        assert found == records

        times = [record.append_ms for record in records]
        offsets = [record.offset for record in records] + [end]
        for time_ms in range(40):
            expected = offsets[bisect_left(times, time_ms)]
            assert reader.offset_at(LANE, 0, end, time_ms) == expected
        reader.close()


@pytest.mark.parametrize("size", [1, 299, 300, 1000])
def test_a_batch_is_bounded_by_bytes_too(tmp_path, monkeypatch, size):
    """Large records come a few at a time, and one that is over the bound alone."""
    monkeypatch.setattr("groundswell.log.reader.READ_BYTES_MAX", 300)
    path = tmp_path / "log.db"
    records, end = write(path, [(0, [(None, b"x" * size)] * 10)], set())
    reader = Reader(path)
    found, offset = [], 0
    while offset < end:
        slice_, offset = reader.read(LANE, offset, end, 1000)
        assert sum(len(record.value) for record in slice_[:-1]) < 300
        found += slice_
    assert found == records
    assert isinstance(found[0], Record)
    reader.close()
