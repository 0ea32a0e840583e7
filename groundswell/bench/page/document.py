"""The page: header, what matters most, a section for each scenario, and how to read it."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from groundswell import web
from groundswell.bench import rounds
from groundswell.bench.page import percentiles, words
from groundswell.bench.page.beside import arranged
from groundswell.bench.page.headline import headline
from groundswell.bench.page.markup import html, tag
from groundswell.bench.page.plots import Kinds, plots
from groundswell.bench.page.tables import legs_table, plain_table
from groundswell.bench.report import cell
from groundswell.bench.results import Pool, Result, pooled

# Nothing is loaded from anywhere, and no script runs: not even if a result's texts wanted it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TABLES_ONLY = (
    "plane",
    "calibrate",
    "event",
)  # rows of these are figures of their own, not servers


def document(results: Sequence[Result]) -> str:
    """Return the page of these results as HTML. Files that are rounds of one become one."""
    pools = sorted(pooled(results), key=_order)
    kinds = Kinds()
    sections, seen = [], set()
    for pool in pools:
        name = pool.first.scenario
        sections.append(_section(pool, kinds, anchor=None if name in seen else name))
        seen.add(name)
    cut = [pool for pool in pools if pool.reasons]
    body = tag(
        "body",
        _header(pools, cut),
        tag(
            "main",
            headline(pools),
            _reading(),
            sections,
        ),
    )
    return html(tag("html", _head(), body, lang="en"))


def _order(pool: Pool) -> tuple[int, str, bool, tuple[int, ...]]:
    names = list(words.SCENARIOS)
    name = pool.first.scenario
    place = names.index(name) if name in names else len(names)
    newest_first = tuple(-ord(letter) for letter in pool.newest)
    return place, name, bool(pool.reasons), newest_first


def _head() -> Element:
    tokens = (Path(web.__file__).parent / "assets" / "tokens.css").read_text(encoding="utf-8")
    own = [
        Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("page.css", "plots.css")
    ]
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", "Groundswell: measured"),
        tag("style", tokens, own),
    )


def _header(pools: Sequence[Pool], cut: Sequence[Pool]) -> Element:
    machines = dict.fromkeys(_machine(pool.first) for pool in pools)
    commits = dict.fromkeys(str(pool.first.machine.get("commit")) for pool in pools)
    links = dict.fromkeys(pool.first.scenario for pool in pools)
    times = sorted(str(r.machine.get("time", "")) for pool in pools for r in pool.results)
    when = (
        times[0][:10] if times[0][:10] == times[-1][:10] else f"{times[0][:10]} – {times[-1][:10]}"
    )
    return tag(
        "header",
        tag("h1", "Groundswell, measured"),
        tag("p", f"{' and '.join(machines)} · commit {', '.join(commits)} · {when}"),
        _warning(
            f"{len(cut)} of {len(pools)} runs are incomplete: their figures are those that "
            "were measured until they were cut."
        )
        if cut
        else None,
        tag(
            "nav",
            (tag("a", _title(name), href=f"#{name}") for name in links),
            aria_label="Scenarios",
        ),
    )


def _reading() -> Element:
    items = [
        (
            "2.0× limit",
            "twice what the least does that can be done: a bare C loop that hands "
            "ready bytes to the kernel, or a bare handler. 1× is as cheap as that.",
        ),
        ("0.16× naive", "a sixth of what this peer needs for the same."),
        (
            "▲ server full",
            "a process filled more than 90 % of its core. Where the client was full, the server "
            "could have done more.",
        ),
        ("▲ others busy", "somebody else used the machine meanwhile: the figure says little."),
        ("p50, p99", "half of all were faster than p50, 99 of 100 faster than p99."),
        ("2 – 3", "lowest and highest of several rounds; the figure is their median."),
    ]
    entries = [part for term, text in items for part in (tag("dt", term), tag("dd", text))]
    return tag("details", tag("summary", "How to read this"), tag("dl", entries), class_="reading")


def _section(pool: Pool, kinds: Kinds, *, anchor: str | None) -> Element:
    result = pool.first
    about = words.SCENARIOS.get(result.scenario, ("", ""))[1]
    parts: list[Element] = []
    if pool.rows and result.scenario in _TABLES_ONLY:
        parts = [plain_table(pool.rows)]
    elif pool.rows:
        legs = arranged(rounds.legs(pool.rows))
        kinds.begin_section()
        drawn = plots(arranged(rounds.legs(percentiles.rows(pool))), kinds)
        parts = [tag("div", drawn, class_="plots")] if drawn else []
        parts.append(legs_table(legs, pool.rows))
    return tag(
        "section",
        tag("h2", _title(result.scenario), " ", tag("code", result.scenario)),
        tag("p", about) if about else None,
        (_warning(f"incomplete: {reason}") for reason in pool.reasons),
        parts,
        (
            tag("p", f"{words.server(name)} was not measured: {why}.")
            for name, why in pool.skipped.items()
        ),
        _provenance(pool),
        id=anchor,
    )


def _provenance(pool: Pool) -> Element:
    result = pool.first
    command = result.command or f"groundswell bench {result.scenario}"
    machine = {k: v for k, v in result.machine.items() if k != "time"}
    return tag(
        "footer",
        tag(
            "p",
            tag("code", command),
            f" · commit {result.machine.get('commit')} · {_machine(result)} · {_when(pool)}",
        ),
        tag(
            "details",
            tag("summary", "Machine, versions and settings"),
            tag("h3", "Machine"),
            _list(machine),
            tag("h3", "Settings"),
            _list(result.settings),
        ),
    )


def _list(values: dict[str, object]) -> Element:
    entries = [
        part
        for name, value in values.items()
        for part in (tag("dt", name), tag("dd", _value(value)))
    ]
    return tag("dl", entries)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return value if isinstance(value, str) else cell(value)


def _when(pool: Pool) -> str:
    count = len(pool.results)
    when = f"{pool.newest[:16].replace('T', ' ')} UTC"
    return f"{count} runs until {when}" if count > 1 else when


def _machine(result: Result) -> str:
    return f"{result.machine.get('cpu')}, {result.machine.get('cores')} cores"


def _title(scenario: str) -> str:
    return words.SCENARIOS.get(scenario, (scenario, ""))[0]


def _warning(text: str) -> Element:
    return tag("p", f"▲ {text}", class_="warning")
