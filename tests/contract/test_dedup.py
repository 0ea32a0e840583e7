"""The window of duplicates, against a model that looks through the whole past."""

from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.contract.dedup import WINDOW_MS, WINDOW_RECORDS, DedupWindow

STEPS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(0, 5)), max_size=80
)  # (offsets further, milliseconds later, key hash)


def records(steps):
    """Return (offset, append_ms, key hash) with rising offsets and times."""
    offset = time = 0
    found = []
    for further, later, key in steps:
        offset += further
        time += later
        found.append((offset, time, key))
    return found


def is_duplicate(past, offset, append_ms, key, *, window_ms, window_records):
    """Say it as the definition does."""
    return any(
        old_key == key and old_ms >= append_ms - window_ms and old_offset >= offset - window_records
        for old_offset, old_ms, old_key in past
    )


@settings(max_examples=200)
@given(STEPS, st.integers(0, 20), st.integers(1, 20))
def test_it_decides_as_the_definition_does(steps, window_ms, window_records):
    """By append time and by distance in the log, dropped records included."""
    window = DedupWindow(window_ms=window_ms, window_records=window_records)
    past = []
    for record in records(steps):
        expected = is_duplicate(past, *record, window_ms=window_ms, window_records=window_records)
        assert window.is_duplicate(*record) == expected
        past.append(record)


@settings(max_examples=100)
@given(STEPS, st.data())
def test_a_reader_that_rewinds_the_window_decides_as_one_from_the_start(steps, data):
    """Wherever it begins to use records."""
    log = records(steps)
    start = data.draw(st.integers(0, len(log)))
    whole, late = (DedupWindow(window_ms=10, window_records=12) for _ in range(2))
    everything = [whole.is_duplicate(*record) for record in log]
    if start < len(log):
        offset, append_ms, _ = log[start]
        rewound = [r for r in log[:start] if r[1] >= append_ms - 10 and r[0] >= offset - 12]
        for record in rewound:
            late.is_duplicate(*record)
        assert [late.is_duplicate(*record) for record in log[start:]] == everything[start:]


def test_it_remembers_no_more_than_the_window():
    """Memory is bounded by records, and by time where there are few."""
    window = DedupWindow(window_ms=1000, window_records=50)
    for offset in range(500):
        window.is_duplicate(offset, 0, offset)
    assert len(window) == 51
    window.is_duplicate(500, 5000, 1)
    assert len(window) == 1


def test_the_windows_are_those_of_the_documents():
    """Every version of every reader must use the same."""
    assert (WINDOW_MS, WINDOW_RECORDS) == (60_000, 65_536)
