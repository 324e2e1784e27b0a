"""Measure what long runs of the core hold at the end and did not hold after their second part."""

from contender import OWN, contend
from report import goal, section, table


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    days, instruments, ticks = (4, 9_000, 8) if quick else (21, 9_000, 15)
    messages, rounds = (20_000, 6) if quick else (200_000, 12)
    bars = 20_000 if quick else 200_000
    told = {
        f"market data of {instruments:,} instruments, {days} days": contend(
            "memory_peers", "market", OWN, days=days, instruments=instruments, ticks=ticks
        ),
        f"one book, {rounds} times {messages:,} messages": contend(
            "memory_peers", "book", OWN, messages=messages, rounds=rounds
        ),
        f"{rounds} backtests of {bars:,} bars, each dropped": contend(
            "memory_peers", "backtests", OWN, bars=bars, rounds=rounds
        ),
    }
    rows = [
        {
            "run": name,
            "made": report["what"],
            "after its second part": report["early"],
            "at the end": report["end"],
            "grown": round(report["end"] - report["early"], 2),
            "for ids that stay used": report.get("ids", ""),
            "peak": report["rss_mb"],
        }
        for name, report in told.items()
    ]
    grown = max(
        report["end"] - report["early"] - report.get("ids", 0.0) for report in told.values()
    )
    held = rows[0]["peak"]
    return section(
        "Memory",
        "Megabytes of a process, and what a run adds to them after its second part (a day, a "
        "round, a backtest). A book"
        " keeps four to eight bytes for each id it has seen, for no id may come twice in its life.",
        [table("Long runs, MB", rows)],
        [
            goal("what a long run of the core adds to its memory, MB", "≤ 1", grown, grown <= 1.0),
            goal(
                f"market data of {instruments:,} instruments, MB (goal of the whole desk)",
                "≤ 250",
                held,
                held <= 250,
            ),
        ],
    )
