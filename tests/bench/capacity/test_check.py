"""What a run is predicted to need, and how far off that was."""

import pytest

from groundswell.bench.capacity import check as checking
from groundswell.bench.capacity.check import Figures, Measured
from groundswell.bench.capacity.model import Event


def test_one_process_with_all_roles_is_predicted_from_the_units(units):
    """Posts and fan-out in CPU, frames in bytes, viewers in memory: by hand."""
    event = Event(viewers=6000, comments=300, display_rate=0, tick=0.25)
    found = checking.predict(event, units)
    size = 60 + 75 * 210
    assert found.frames == 4
    assert found.bytes == pytest.approx(6000 * 4 * size)
    assert found.cpu == pytest.approx(0.06 + 6000 * (4 * (8 + size * 0.0005) + 1) / 1e6)
    assert found.rss == pytest.approx(1e8 + 6000 * 400)


def test_the_error_is_of_the_prediction_by_what_was(units):
    """A tenth too much is +10 %; what was nothing has no error."""
    predicted = Figures(cpu=0.22, frames=4, bytes=1e6, rss=1e8)
    figures = Figures(cpu=0.2, frames=0, bytes=2e6, rss=1e8)
    measured = Measured(
        figures=figures,
        cpu_for_frames=0.19,
        viewers=1,
        posted=1,
        others=0,
        load=0,
        bounded_by="",
    )
    errors = [row["error %"] for row in checking.compared_rows(predicted, measured)]
    assert errors == [pytest.approx(10), None, pytest.approx(-50), 0, pytest.approx(-5)]


def test_cpu_for_the_frames_sent_is_the_models_own_when_as_many_were_sent(units):
    """So that the difference between both rows is the tick's."""
    event = Event(viewers=1000, comments=300, display_rate=0, tick=0.25)
    found = checking.predict(event, units)
    again = checking._cpu_for(event, units, frames=4, sent=found.bytes, posted=300)
    assert again == pytest.approx(found.cpu)
