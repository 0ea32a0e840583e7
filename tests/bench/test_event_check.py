"""The event's judge: it must see everything that it is there to see."""

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from groundswell.bench import event_check
from groundswell.bench.event_check import (
    Findings,
    check_comments,
    check_reactions,
    check_reading,
)
from groundswell.bench.event_crowd import MAIN, Outcome

ACKED = [f"c{number}" for number in range(10)]


def outcome(**changes: object) -> Outcome:
    fields: dict[str, object] = {
        "comments": {MAIN: ACKED, "goal": []},
        "reactions": [("c1", "ada", 1), ("c1", "bob", 1), ("c2", "ada", 0), ("c3", "ada", 6)],
        "doubtful": [],
        "statuses": {"comment 201": 10, "reaction 200": 4},
        "reaction_acks": 4,
        "ack_ms": [1.0] * 10,
    }
    return Outcome(**(fields | changes))


class Store:
    """Rows as a test wants them."""

    def __init__(self, ids: list[str], *, bucket_rows: int = 4) -> None:
        self.buckets: dict[tuple[str, int, int], list[tuple[int, str]]] = {}
        for offset, name in enumerate(ids):
            self.buckets.setdefault((MAIN, 1, offset // bucket_rows), []).append((offset, name))
        self.rows = {"c1": Counter({1: 2}), "c3": Counter({6: 1})}
        self.stated = {"c1": Counter({1: 2}), "c3": Counter({6: 1})}
        self.biggest = 3

    def comments(self) -> dict[tuple[str, int, int], list[tuple[int, str]]]:
        return self.buckets

    def reactions(self) -> tuple[dict[str, Counter[int]], Counter[tuple[str, int, int]]]:
        return self.rows, Counter({(MAIN, 5, 0): self.biggest})

    def totals(self) -> dict[str, Counter[int]]:
        return self.stated


def comments_of(store: Store, **changes: object) -> Findings:
    found = Findings()
    check_comments(found, store, outcome(**changes), bucket_rows=4)
    return found


def test_an_event_that_went_well_has_figures_and_no_violations():
    """Ten comments in buckets of four: two are full."""
    found = Findings()
    order = check_comments(found, Store(ACKED), outcome(), bucket_rows=4)
    check_reactions(found, Store(ACKED), outcome())
    assert found.violations == []
    assert order == {MAIN: ACKED}
    assert (found.figures["buckets of comments"], found.figures["buckets that are full"]) == (3, 2)
    assert found.figures["reactions that stand"] == 3


@pytest.mark.parametrize(
    ("ids", "violation"),
    [
        (ACKED[1:], "comments lost: 1"),
        ([*ACKED, "c3"], "comments stored twice: 1"),
        ([*ACKED, "stranger"], "1 rows that nobody sent"),
    ],
)
def test_a_lost_a_doubled_and_an_unknown_comment_are_seen(ids: list[str], violation: str):
    """Each by itself."""
    assert violation in comments_of(Store(ids)).violations


def test_a_comment_whose_answer_was_lost_may_be_stored_or_not():
    """It was not acknowledged, so neither is wrong."""
    statuses = {"comment 201": 10, "comment 0": 1}
    assert comments_of(Store([*ACKED, "unanswered"]), statuses=statuses).violations == []
    assert comments_of(Store(ACKED), statuses=statuses).violations == []


def test_a_bucket_over_its_bound_is_seen():
    """Five rows where four are the most."""
    assert comments_of(Store(ACKED, bucket_rows=5)).violations == [
        "rows of the biggest bucket: 5 of 4"
    ]


def test_an_event_in_which_nothing_was_acknowledged_did_not_go_well():
    """Nothing can be lost then, and nothing was shown."""
    changes = {"comments": {MAIN: []}, "statuses": {"comment 503": 10}, "ack_ms": []}
    assert comments_of(Store([]), **changes).violations == ["nothing was acknowledged"]


def reactions_of(store: Store, **changes: object) -> list[str]:
    found = Findings()
    check_reactions(found, store, outcome(**changes))
    return found.violations


def test_rows_and_totals_are_compared_each_by_itself():
    """A row too few, a total too many; what is in doubt is left out."""
    store = Store(ACKED)
    store.rows["c1"] = Counter({1: 1})
    store.stated["c2"] = Counter({1: 1})
    assert reactions_of(store) == [
        "comments whose rows differ: 1",
        "comments whose totals differ: 1",
    ]
    doubtful = [("c1", "eve"), ("c2", "ada")]
    assert reactions_of(store, doubtful=doubtful) == []


def test_a_partition_of_reactions_over_its_bound_is_seen():
    """The bound is the one that the store's placement argues."""
    store = Store(ACKED)
    store.biggest = event_check.REACTION_ROWS_MAX + 1
    assert reactions_of(store) == ["rows of the biggest: 170,001 of 170,000"]


@pytest.fixture
def broker() -> Iterator[tuple[int, list[dict[str, object]]]]:
    """A server of pages of 500, as brokers do; its comments may be changed."""
    comments: list[dict[str, object]] = [{"commentID": name} for name in ACKED]
    busy = [True]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            start, limit = int(query.get("since", ["0"])[0]), int(query["limit"][0])
            status, body = 200, json.dumps(comments[start : start + limit]).encode()
            if busy:
                busy.clear()
                status, body = 503, b"{}"
            self.send_response(status)
            if status == 503:
                self.send_header("Retry-After", "0")
            elif start + limit < len(comments):
                path = f"/live/{MAIN}/comments?limit={limit}&since={start + limit}"
                self.send_header("Link", f'<{path}>; rel="next"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], comments
        server.shutdown()
        thread.join()


def reading_of(port: int, model: dict[str, Counter[int]]) -> Findings:
    found = Findings()
    check_reading(found, port, {MAIN: ACKED}, model, doubtful=[])
    return found


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_check, "PAGE", 3)


def test_pages_are_followed_to_the_end_and_a_broker_that_is_not_ready_is_asked_again(broker):
    """Ten comments are four pages of three."""
    port, comments = broker
    comments[1]["reactions"] = {"likes": 2, "loves": 0}
    found = reading_of(port, {"c1": Counter({1: 2})})
    assert found.violations == []
    assert found.figures["pages"] == 4


def test_a_missing_comment_a_wrong_order_and_a_wrong_total_are_seen(broker):
    """One of each."""
    port, comments = broker
    del comments[4]
    comments[0]["reactions"] = {"likes": 1}
    found = reading_of(port, {})
    assert found.violations == [
        "missing in GET: 1",
        "videos out of order in GET: 1",
        "totals that differ in GET: 1",
    ]
