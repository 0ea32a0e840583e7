"""Scenario `rooms`: many small rooms in one process, each with a few viewers.

Comments go to the rooms in turn. A comment that reaches a viewer of another room is an error.
"""

from groundswell.bench import traffic
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run

VIDEO = "room-{room}"


def measure(
    run: Run, *, rooms: int, viewers: int, rate: float, plane: str
) -> tuple[list[Row], list[Row]]:
    """Watch all rooms and post into each; return the table's row and the record behind it."""
    rows, details = run.journal.start(legs=1)
    rooms = min(rooms, viewers)
    run.journal.begin(f"{rooms:,} rooms")
    options = {"rooms": rooms}
    with room.groundswell(run, plane) as server:
        before = server.process.rss_bytes()
        with (
            traffic.watching(
                run.tools,
                server.port,
                viewers=viewers,
                core=run.client_core,
                sampled=viewers,
                video=VIDEO,
                options=options,
            ) as watching,
        ):
            room.rest()
            rss = server.process.rss_bytes() - before
            with room.posting(
                run, server, rate=rate, seconds=run.seconds, video=VIDEO, options=options
            ) as (writers, wait):
                meter = PlaneMeter(
                    {server.name: server.process},
                    {"viewers": watching.process, "writers": writers},
                    server_core=run.server_core,
                    client_core=run.client_core,
                )
                room.rest(run.seconds)
                cpu, columns = meter.server_seconds(), meter.columns()
                wrote = wait()
            due = sum(_of_room(wrote.sent, number % rooms, rooms) for number in range(viewers))
            watching.wait_for(due)
            saw = watching.finish()
        server.process.check()
    row: Row = {
        "rooms": rooms,
        "viewers": saw.connected,
        "comments/s": rate,
        "delivered %": 100 * saw.comments / due if due else None,
        "p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "201 p99 ms": wrote.latency_ms.p99 if wrote.latency_ms else None,
        "server CPU %": 100 * cpu / run.seconds,
        "RSS KB/room": rss / rooms / 1000,
        "lost viewers": saw.closed,
        "errors": traffic.errors(saw, due=due),
        **columns,
    }
    rows.append(row)
    details.append({**row, "saw": traffic.as_record(saw), "writers": traffic.as_record(wrote)})
    return rows, details


def _of_room(comments: int, room_number: int, rooms: int) -> int:
    """Return how many of so many comments are those of a room.

    >>> [_of_room(5, number, 3) for number in range(3)]
    [2, 2, 1]
    """
    return (comments - room_number + rooms - 1) // rooms
