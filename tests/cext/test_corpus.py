"""What the fuzzers have found, run again: every input that reaches something of its own."""

import pytest

pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

from tests.fuzz.targets import CORPUS, TARGETS

FILES_MAX = 200  # of all targets
BYTES_MAX = 200 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_is_read_as_its_oracle_says(name: str) -> None:
    """Native and pure agree, answers are of the protocol, and nothing is left."""
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    target = TARGETS[name].make()
    try:
        for path in inputs:
            try:
                target(path.read_bytes())
            except AssertionError as error:
                error.add_note(f"the input is {path}")
                raise
    finally:
        target.close()


def test_the_corpus_stays_small() -> None:
    """It is read with every run of the tests: `scripts/fuzz minimise` keeps it so."""
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) <= FILES_MAX
    assert sum(path.stat().st_size for path in files) <= BYTES_MAX
