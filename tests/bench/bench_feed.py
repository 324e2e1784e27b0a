"""Measure the market data feed over a socket.

Our client against the official ticker, on the same frames.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from contender import HERE, OWN, contend, passes, ratio, surroundings
from report import goal, plural, section, table

RATE = 45  # frames of 200 packets a second: 9,000 instruments, each once a second


@contextmanager
def server(*command: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server for a while; give the process and the first line it prints."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings(OWN),
        cwd=HERE,
    )
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, command))} did not start")
        yield process, line
    finally:
        process.terminate()
        process.wait(30)


def measure(count: int, rate: float, repeats: int) -> dict[str, list[dict[str, object]]]:
    """Return the reports of both clients on so many frames, `rate` a second (0: unpaced)."""

    def one(name: str) -> dict[str, object]:
        with server(HERE / "feed_peers.py", str(count), str(rate)) as (_, port):
            return contend("feed_peers", name, OWN, port=int(port), count=count)

    told = passes(repeats, {name: lambda name=name: one(name) for name in ("patang", "official")})
    ours, theirs = (reports[0] for reports in told.values())
    assert all(ours[key] == theirs[key] for key in ("packets", "total")), (
        "the official ticker read other ticks"
    )
    return told


def path(seconds: int, packets: int) -> dict[str, object]:
    """Return the time of the whole live path for so many seconds of 9,000 instruments."""
    with server(HERE / "live_path.py", str(seconds), str(packets)) as (_, port):
        told = contend("live_path", "patang", OWN, port=int(port), seconds=seconds, packets=packets)
    return {
        "packets a frame": packets,
        "ticks": told["ticks"],
        "core, %": 100 * told["cpu"] / told["seconds"],
        "commands": told["commands"],
        "p50 ms": told["p50"],
        "p99 ms": told["p99"],
        "peak MB": told["rss_mb"],
    }


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    free = measure(40 if quick else 1_000, 0, 1 if quick else 3)
    paced = measure(RATE * (2 if quick else 10), RATE, 1)
    packets = free["patang"][0]["packets"]
    rows = [
        {
            "client": name,
            "version": version("kiteconnect") if name == "official" else "",
            "packets/s": packets / min(each["seconds"] for each in reports),
            "CPU µs a packet": min(each["cpu"] for each in reports) / packets * 1e6,
            "patang is": ratio(
                *([each["seconds"] for each in side] for side in (reports, free["patang"]))
            ),
            "core at 9,000 packets/s, %": 100 * paced[name][0]["cpu"] / paced[name][0]["seconds"],
            "peak MB": max(each["rss_mb"] for each in reports),
        }
        for name, reports in free.items()
    ]
    live = [path(9 if quick else 20, packets) for packets in (8, 200)]
    share, late = max(one["core, %"] for one in live), live[0]["p99 ms"]
    return section(
        "Feed",
        f"{plural(packets, 'full packet')} in frames of 200 over a local WebSocket, from a "
        "process that sends as fast as the"
        " client takes them; then 9,000 a second, the most Kite sends to one account. From the "
        "first frame to the last.",
        [
            table("From the socket to ticks", rows),
            table(
                "From the socket to a command: 9,000 instruments, a minute's bars, a Python "
                "strategy of 25 µs on 300 of them",
                live,
            ),
        ],
        [
            goal("the live path at 9,000 ticks/s, % of a core", "≤ 20", share, share <= 20),
            goal("a frame of 8 to the command it leads to, p99 ms", "≤ 0.2", late, late <= 0.2),
        ],
    )
