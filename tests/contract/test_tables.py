"""The tables that code, metrics, documents and clients share: close codes, problems, names."""

import re

import pytest

from groundswell.contract.close_codes import BY_CODE, CLOSE_CODES
from groundswell.contract.faultpoints import POINTS, arm, disarm, reach
from groundswell.contract.names import is_ref, is_user_id, is_video_id
from groundswell.contract.problems import _ROWS, PROBLEMS, RETRY_STATUSES, Refused


def test_close_codes_and_their_names_are_unique():
    """A code is a metric label too."""
    assert len(BY_CODE) == len(CLOSE_CODES) == len({row.name for row in CLOSE_CODES})


@pytest.mark.parametrize("row", CLOSE_CODES, ids=lambda row: row.name)
def test_a_close_code_fits_a_close_frame_and_says_what_to_do(row):
    """At most 123 bytes of reason (RFC 6455 section 5.5), a code that we may send."""
    assert len(row.reason.encode()) <= 123
    assert row.meaning.endswith(".")
    assert row.code in (1000, 1002, 1003, 1007, 1009) or 4000 <= row.code <= 4999
    if row.code >= 4000:
        assert row.reconnect == (row.code < 4500)


def test_problem_codes_are_unique():
    """Clients decide by them."""
    assert len(PROBLEMS) == len(_ROWS)


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.code)
def test_a_problem_is_an_error_and_is_documented(row):
    """A status of 4xx or 5xx, a code that is one word, a title and a meaning."""
    assert 400 <= row.status <= 599
    assert re.fullmatch(r"[a-z_]+", row.code)
    assert row.title
    assert not row.title.endswith(".")
    assert row.meaning.endswith(".")


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.code)
def test_a_refusal_says_when_to_come_back_where_that_helps(row):
    """429, 503 and 507 always have `retry_after`; others do not."""
    body = Refused(row.code, "why").body("r1")
    assert ("retry_after" in body) == (row.status in RETRY_STATUSES)
    assert (body["status"], body["code"]) == (row.status, row.code)
    assert (body["detail"], body["request_id"]) == ("why", "r1")


def test_a_refusal_without_a_row_is_a_mistake():
    """Every refusal is in the table."""
    with pytest.raises(KeyError):
        Refused("no_such_code")


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "ä", "a b", "x" * 65, "a\n", "%2e"])
def test_what_is_not_a_video_id(text):
    """Path segments that proxies rewrite, separators, other scripts, too long."""
    assert not is_video_id(text)


@pytest.mark.parametrize("text", ["a", "...", "A-z_0.9", "x" * 64])
def test_what_is_a_video_id(text):
    """1-64 of the allowed characters."""
    assert is_video_id(text)


def test_user_ids_take_what_identity_providers_issue():
    """And nothing that needs escaping."""
    assert all(map(is_user_id, ["ada", "auth0|5f7c", "a@b.example", "x" * 64]))
    assert not any(map(is_user_id, ["", "a b", 'a"b', "a<b", "x" * 65, "a\n"]))


def test_refs_are_short_and_plain():
    """They come back in public comments."""
    assert all(map(is_ref, ["c1", "0192:ab", "x" * 64]))
    assert not any(map(is_ref, ["", "a b", "a/b", "x" * 65, "a\n"]))


def test_a_fault_point_does_what_it_is_armed_with_until_disarmed():
    """Unknown points cannot be armed; others do nothing."""
    reached = []
    arm("log.before_commit", lambda: reached.append(1))
    reach("log.before_commit")
    reach("log.after_commit")
    disarm()
    reach("log.before_commit")
    assert reached == [1]
    with pytest.raises(KeyError, match="no fault point"):
        arm("nowhere", lambda: None)
    assert "log.before_commit" in POINTS
