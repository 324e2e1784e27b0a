"""Report of a benchmark, and the page made of it."""

import compiled

Row = dict[str, object]

HOW = (
    "Contenders take turns in several passes. Speeds are those of the best pass, for the machine "
    "is shared and at times half as"
    " fast; ratios are the median of those within one pass. A contender is measured only after it "
    "has given the same trades or"
    " values. Each runs in a process of its own, and its peak memory is that process's."
)

MET = {True: "yes", False: "**no**", None: "-"}


def table(title: str, rows: list[Row]) -> dict[str, object]:
    """Return a table; a contender that could not be measured has a row with "absent": why."""
    return {"title": title, "rows": rows}


def goal(what: str, wanted: str, measured: float | None, met: bool | None) -> Row:
    """Return how a goal stands; None where it could not be measured."""
    return {"what": what, "goal": wanted, "measured": measured, "met": met}


def section(
    title: str, about: str, tables: list[dict[str, object]], goals: list[Row]
) -> dict[str, object]:
    """Return one benchmark's part of the report."""
    return {
        "title": title,
        "about": about,
        "native": compiled.NATIVE,
        "tables": tables,
        "goals": goals,
    }


def plural(count: int, what: str) -> str:
    """Return a count with thousands marked, and its noun."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def spell(value: object) -> str:
    """Return a figure as people read it: three digits that matter, thousands marked."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def lines(rows: list[Row]) -> list[str]:
    """Return rows as a Markdown table; the first column is left, figures are right."""
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "absent"))
    rule = ["---" if place == 0 else "---:" for place in range(len(columns))]
    made = [_line(columns), _line(rule)]
    for row in rows:
        cells = [spell(row.get(name, "")) for name in columns]
        if "absent" in row:
            cells[1] = f"not measured: {row['absent']}"
        made.append(_line(cells))
    return made


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def page(result: dict[str, object]) -> str:
    """Return the whole report in Markdown."""
    size = " (a quick run: small sizes)" if result["quick"] else ""
    made = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {result['day']}{size}; do not edit. {HOW}",
        "",
        *lines([{"machine": name, "": value} for name, value in result["machine"].items()]),
    ]
    goals = [each for part in result["sections"].values() for each in part["goals"]]
    if goals:
        made += ["", "## Goals", "", *lines([each | {"met": MET[each["met"]]} for each in goals])]
    for part in result["sections"].values():
        made += ["", f"## {part['title']}", "", _about(part)]
        for each in part["tables"]:
            made += ["", f"### {each['title']}", "", *lines(each["rows"])]
    return "\n".join(made) + "\n"


def _about(part: dict[str, object]) -> str:
    if "error" in part:
        return f"**Not measured:** {part['error']}"
    return str(part["about"]) + ("" if part["native"] else " **The core ran interpreted.**")
