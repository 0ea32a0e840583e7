"""The mapping that keeps something of every viewer in arrays."""

from hypothesis import given
from hypothesis import strategies as st

from groundswell.broker.by_handle import PAGE, ByHandle
from groundswell.broker.plane import PLACES


def items(table):
    return dict(table.items())


def test_an_earlier_handle_of_a_place_is_unknown():
    """What is meant for who has gone reaches nobody else."""
    table = ByHandle()
    table[5] = "old"
    table.pop(5)
    table[5 + PLACES] = "new"
    assert (table.get(5), table.get(5 + PLACES)) == (None, "new")
    table.pop(5)
    assert items(table) == {5 + PLACES: "new"}


def test_a_handle_that_was_never_set_is_unknown():
    """Also one whose place lies beside others', and the one that arrays begin with."""
    table = ByHandle()
    table[1] = "one"
    assert [table.get(handle) for handle in (0, 2, 1 + PLACES, PAGE + 1)] == [None] * 4


def test_pages_go_with_their_last_handle():
    """After a rush of viewers nothing of it is kept."""
    table = ByHandle()
    for handle in range(10 * PAGE):
        table[handle] = handle
    assert len(table) == 10 * PAGE
    for handle in range(10 * PAGE):
        table.pop(handle)
    assert len(table) == 0
    assert items(table) == {}
    assert table._pages == {}


def test_it_may_change_while_it_is_gone_through():
    """Those who stay are met once each."""
    table = ByHandle()
    for handle in range(2 * PAGE):
        table[handle] = handle
    met = []
    for handle, kept in table.items():
        met.append(kept)
        table.pop(handle)
        table.pop(handle ^ 1)
        table[10 * PAGE + handle] = -1
    assert met == list(range(0, 2 * PAGE, 2))


HANDLES = st.builds(
    lambda place, generation: place + generation * PLACES,
    st.sampled_from((0, 1, 2, PAGE - 1, PAGE, 7 * PAGE, (3 << 24) | 1)),
    st.integers(0, 2),
)


@given(st.lists(st.tuples(HANDLES, st.booleans())))
def test_it_answers_as_a_dict_does(changes):
    """As long as a place has one handle at a time, which planes see to."""
    table, expected, holders = ByHandle(), {}, {}
    for handle, comes in changes:
        if comes and holders.setdefault(handle % PLACES, handle) == handle:
            table[handle] = expected[handle] = f"{handle}"
        elif not comes:
            table.pop(handle)
            if expected.pop(handle, None) is not None:
                del holders[handle % PLACES]
        assert len(table) == len(expected)
        assert table.get(handle) == expected.get(handle)
    assert items(table) == expected
