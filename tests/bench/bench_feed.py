"""Measure the market data feed over a socket: our client against the official ticker, on the same frames."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median

from contender import HERE, OWN, contend, passes, ratio, surroundings
from report import goal, plural, section, table

KITE_MOST = 9_000


@contextmanager
def server(*command: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server for a while; give the process and the first line it prints."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, env=surroundings(OWN), cwd=HERE
    )
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, command))} did not start")
        yield process, line
    finally:
        process.terminate()
        process.wait(30)


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    count, repeats = (40, 1) if quick else (1_000, 3)

    def one(name: str) -> dict[str, object]:
        with server(HERE / "feed_peers.py", str(count)) as (_, port):
            return contend("feed_peers", name, OWN, port=int(port), count=count)

    told = passes(repeats, {name: lambda name=name: one(name) for name in ("patang", "official")})
    ours, theirs = told["patang"], told["official"]
    assert all(ours[0][key] == theirs[0][key] for key in ("packets", "total")), "the official ticker read other ticks"
    packets = ours[0]["packets"]
    rows = []
    for name, reports in told.items():
        seconds, cpu = (median(each[key] for each in reports) for key in ("seconds", "cpu"))
        rows.append(
            {
                "client": name,
                "version": version("kiteconnect") if name == "official" else "",
                "packets/s": packets / seconds,
                "CPU µs a packet": cpu / packets * 1e6,
                "core at 9,000 packets/s, %": cpu / packets * KITE_MOST * 100,
                "patang is": ratio([each["seconds"] for each in reports], [each["seconds"] for each in ours]),
                "peak MB": max(each["rss_mb"] for each in reports),
            }
        )
    share = rows[0]["core at 9,000 packets/s, %"]
    return section(
        "Feed",
        f"{plural(packets, 'full packet')} in frames of 200 over a local WebSocket, from a process that sends as fast as the"
        " client takes them, first to last. 9,000 packets a second is the most Kite sends to one account.",
        [table("From the socket to ticks", rows)],
        [goal("feed and decoder at 9,000 packets/s, % of a core (goal of the whole path)", "≤ 20", share, share <= 20)],
    )
