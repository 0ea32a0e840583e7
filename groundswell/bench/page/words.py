"""What scenarios, servers and columns are called for somebody who sees them for the first time."""

from collections.abc import Sequence

from groundswell.bench.rounds import better

SCENARIOS = {  # in the order of the page: what it is, and how it is measured
    "fanout": (
        "One large room",
        "Comments come at a steady rate and go to every viewer of one room.",
    ),
    "sweep": (
        "Growing rooms",
        "The same number of deliveries a second to few and to many viewers of one process.",
    ),
    "one": ("A single comment", "One comment into a room at rest, until the last viewer has it."),
    "joins": ("A crowd arrives", "Viewers join as fast as they can; each gets the last comments."),
    "idle": ("Nothing happens", "Viewers who get pings and nothing else."),
    "uplink": ("Viewers react", "Reactions over the viewers' own sockets, in a closed loop."),
    "beside": ("Two rooms", "A small room's latency, alone and beside a large room under load."),
    "adverse": ("Bad company", "A room's viewers beside others who read slowly, never, or flap."),
    "storm": ("All come back", "Every viewer is cut at once and comes back with its position."),
    "spike": ("It gets loud", "From a comment a second to a thousand within five seconds."),
    "rooms": (
        "Many rooms",
        "Many small rooms of one process, with comments to all of them in turn.",
    ),
    "memory": ("An idle viewer", "Resident memory by address and token, and when all come again."),
    "plane": ("Targets", "What the live plane has to reach, and what it reached."),
    "calibrate": ("Unit costs", "What `groundswell capacity` reckons with."),
    "many": ("As many as fit", "Viewers over several workers of one broker, through Kafka."),
    "ingest": ("Comments accepted", "Comments posted over HTTP in a closed loop."),
    "deflate": ("Compression", "Bytes and CPU of one frame, plain and deflated."),
    "cluster-ingest": ("Comments into Kafka", "Comments posted over HTTP, kept by Kafka."),
    "cluster-reactions": ("Reactions into Kafka", "Reactions over sockets, kept by Kafka."),
    "cluster-latency": ("From post to screen", "Through ingest, Kafka and a broker."),
    "cluster-page": ("A page of comments", "Read from memory, from Redis and from Cassandra."),
    "cluster-persist": ("Comments stored", "From Kafka into Cassandra."),
    "cluster-tally": ("Reactions counted", "From Kafka into Cassandra."),
    "event": ("A whole broadcast", "Every role and engine, and a process that ends meanwhile."),
}
LIMITS = {  # servers that do the least that can be done: what comes on top is the product
    "limit": "bare C loop",
    "bare_post": "bare aiohttp",
    "raw Kafka": "raw Kafka",
    "driver": "the driver alone",
}
PEERS = {
    "naive": "naive aiohttp",
    "websockets": "python-websockets",
    "nchan": "nginx nchan",
    "centrifugo": "Centrifugo",
}
_OURS = ("groundswell", "ingest", "post to screen", "persist")
COLUMNS = {
    "CPU us/delivery": ("CPU a delivery", "us"),
    "CPU us/post": ("CPU a post", "us"),
    "CPU us/join": ("CPU a join", "us"),
    "CPU us/message": ("CPU a message", "us"),
    "CPU us/reaction": ("CPU a reaction", "us"),
    "CPU us/page": ("CPU a page", "us"),
    "CPU us/row": ("CPU a row", "us"),
    "CPU %": ("CPU", "% of a core"),
    "RSS KiB/viewer": ("Memory a viewer", "KiB"),
    "RSS KB/viewer": ("Memory a viewer", "KB"),
    "deliveries/s": ("Deliveries", "deliveries a second"),
    "posts/s": ("Posts a second", ""),
    "joins/s": ("Joins a second", ""),
    "messages/s": ("Messages a second", ""),
    "reactions/s": ("Reactions a second", ""),
    "pages/s": ("Pages a second", ""),
    "rows/s": ("Rows a second", ""),
    "all joined s": ("Until all have joined", "s"),
    "last ms": ("Last viewer", "ms"),
    "p99 ms": ("Latency, p99", "ms"),
}


def title(column: str) -> tuple[str, str]:
    """Return what a column is called, and its unit."""
    return COLUMNS.get(column, (column, ""))


def server(name: str) -> str:
    """Return what a server is called."""
    return LIMITS.get(name) or PEERS.get(name) or name


def is_limit(name: str) -> bool:
    """Tell whether it does only what nobody can do without."""
    return name in LIMITS


def is_ours(name: str) -> bool:
    """Tell whether it is the product."""
    return name.startswith(_OURS)


def bound(names: Sequence[str]) -> str:
    """Return who filled a core, for people; empty where nobody did.

    >>> bound(["others on the server core, others on the client core"])
    'others filled both cores'
    """
    parts = list(dict.fromkeys(part for name in names for part in name.split(", ")))
    others = [part for part in parts if part.startswith("others on the ")]
    if len(others) > 1:
        parts = ["others filled both cores", *(part for part in parts if part not in others)]
    elif others:
        core = others[0].removeprefix("others on the ").removesuffix(" core")
        parts = [f"others filled the {core}'s core" if p == others[0] else p for p in parts]
    return ", ".join(p if p.startswith("others") else f"{p} at a full core" for p in parts)


def bound_short(names: Sequence[str]) -> str:
    """Return the same in two words; empty where nobody did."""
    everything = ", ".join(names)
    if not everything:
        return ""
    if "others" in everything:
        return "others busy"
    return "server full" if "server" in everything else "client full"


def way(column: str) -> str:
    """Return which way is better, for a caption."""
    found = better(column)
    return f"{found} is better" if found else ""


def short(value: float) -> str:
    """Return a figure with three digits.

    >>> short(1234.5), short(89.13), short(0.8684)
    ('1,234', '89.1', '0.868')
    """
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def tick(value: float) -> str:
    """Return a figure for an axis.

    >>> tick(500_000), tick(0.5)
    ('500k', '0.5')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def times(ratio: float) -> str:
    """Return a ratio as a factor.

    >>> times(2.0184), times(0.16), times(12.3)
    ('2.0×', '0.16×', '12×')
    """
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}×" if ratio >= 1 else f"{ratio:.2g}×"
