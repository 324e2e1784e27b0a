"""Benchmark of the order book, against a tight C++ ladder and the books of `book_peers.py`.

`run()` returns the section of the report; `messages(mix)` is the seeded workload and
`fill_hash(fills)` the proof of equal trades: a contender that makes other trades is not measured,
it ends the run.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import book_peers
from book_peers import CANCEL, IOC, LIMIT, MARKET, MODIFY, RECORD, fill_hash
from contender import OWN, PEERS, PEERS_312, contend, passes, ratio
from report import goal, plural, section, table

from compiled.book import order_book as module
from compiled.book.order_book import OrderBook

HERE = Path(__file__).resolve().parent
LOW, HIGH = 27_000, 33_000
MIXES = {
    "busy": {
        "add": 0.55,
        "cancel": 0.35,
        "modify": 0.05,
        "take": 0.05,
        "spread": 40.0,
        "jump": 0.02,
    },
    "calm": {
        "add": 0.44,
        "cancel": 0.42,
        "modify": 0.12,
        "take": 0.02,
        "spread": 12.0,
        "jump": 0.005,
    },
}
Message = tuple[int, int, int, int, int, int]


def messages(mix: str, count: int = 1_000_000, seed: int = 42) -> list[Message]:
    """Return `count` messages (type, side 0/1, owner, id, price, quantity) of a mix.

    Ids count up from 1.
    """
    rng = random.Random(seed)
    share = MIXES[mix]
    made: list[Message] = []
    live: list[tuple[int, int, int]] = []
    mid, fresh = (LOW + HIGH) // 2, 0
    while len(made) < count:
        draw = rng.random()
        if rng.random() < share["jump"]:
            mid = min(max(mid + rng.choice((-1, 1)), LOW + 500), HIGH - 500)
        side = rng.getrandbits(1)
        quantity = rng.randint(1, 200)
        if draw < share["add"] or not live:
            fresh += 1
            away = 1 + int(rng.expovariate(1.0 / share["spread"]))
            price = min(max(mid - away if side == 0 else mid + away, LOW), HIGH)
            live.append((fresh, side, price))
            made.append((LIMIT, side, 0, fresh, price, quantity))
        elif draw < share["add"] + share["take"]:
            fresh += 1
            kind = rng.choice((LIMIT, LIMIT, IOC, IOC, MARKET))
            price = mid + 4 if side == 0 else mid - 4
            made.append((kind, side, 0, fresh, price, quantity * 3))
        else:
            place = rng.randrange(len(live))
            order, side, price = live[place]
            if draw < share["add"] + share["take"] + share["cancel"]:
                live[place] = live[-1]
                live.pop()
                made.append((CANCEL, side, 0, order, 0, 0))
            else:
                moved = min(max(price + rng.randint(-1, 1), LOW), HIGH)
                live[place] = (order, side, moved)
                made.append((MODIFY, side, 0, order, moved, quantity))
    return made


def packed(stream: Iterable[Message]) -> bytes:
    """Return messages as the buffer that `OrderBook.run` and the C++ ladder read."""
    return b"".join(RECORD.pack(*message) for message in stream)


def call(book: OrderBook, stream: Iterable[Message]) -> None:
    """Apply messages one method call at a time, as an interpreted exchange does."""
    limit, cancel, modify, market = book.limit, book.cancel, book.modify, book.market
    for kind, side, owner, order, price, quantity in stream:
        sign = 1 if side == 0 else -1
        if kind == LIMIT:
            limit(order, sign, price, quantity)
        elif kind == CANCEL:
            cancel(order)
        elif kind == MODIFY:
            modify(order, price, quantity)
        elif kind == IOC:
            limit(order, sign, price, quantity, owner, module.IOC)
        else:
            market(order, sign, quantity)


def seconds(work: Callable[[OrderBook], object], repeats: int) -> tuple[float, OrderBook]:
    """Return the least CPU time of some runs, each on a new book, and the last book."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        book = OrderBook(LOW, HIGH)
        work(book)
        best = min(best, time.process_time() - begin)
    return best, book


def digest(book: OrderBook) -> int:
    """Return the hash of the fills of a book."""
    return fill_hash(book.fill(index) for index in range(book.fills()))


def ladder(folder: Path) -> Path:
    """Compile the C++ ladder into a folder and return the program."""
    program = folder / "book_ladder"
    subprocess.run(
        ["g++", "-O3", "-std=c++17", "-o", program, HERE / "book_ladder.cpp"],
        check=True,
        timeout=120,
    )
    return program


def measure(mix: str, program: Path, count: int, repeats: int) -> dict[str, object]:
    """Return one mix's figures; assert that the book and the C++ ladder made the same trades."""
    stream = messages(mix, count)
    buffer = packed(stream)
    path = program.parent / f"{mix}.bin"
    path.write_bytes(buffer)
    native, cpp, ratios = [], [], []
    for _ in range(repeats):
        done = subprocess.run(
            [program, path, str(LOW), str(HIGH), "3"],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        rows = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
        took, book = seconds(lambda book: book.run(buffer), 3)
        native.append(took)
        cpp.append(min(row[0] for row in rows) / 1e9)
        ratios.append(cpp[-1] / took)
    assert rows[-1][1:3] == [digest(book), book.fills()], "the C++ ladder made other trades"
    idle, _ = seconds(lambda _: [None for kind, side, owner, order, price, quantity in stream], 3)
    called, book = seconds(lambda book: call(book, stream), 3)
    assert rows[-1][1] == digest(book), "single calls made other trades"
    return {
        "messages": count,
        "fills": book.fills(),
        "refused": rows[-1][3],
        "book_per_second": round(count / min(native)),
        "cpp_per_second": round(count / min(cpp)),
        "of_cpp": round(min(cpp) / min(native), 3),
        "of_cpp_median": round(sorted(ratios)[len(ratios) // 2], 3),
        "calls_per_second": round(count / called),
        "calls_per_second_without_loop": round(count / (called - idle)),
    }


def plain(folder: Path, count: int) -> dict[str, dict[str, int]]:
    """Return each mix's messages per second and fill hash from the plain files."""
    target = folder / "plain" / "compiled"
    target.mkdir(parents=True)
    for source in (HERE.parents[1] / "compiled").glob("*.py"):
        shutil.copy(source, target)
    done = subprocess.run(
        [sys.executable, __file__, "plain", str(count)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(target.parent)},
    )
    return json.loads(done.stdout)


def prefixes(count: int) -> dict[str, dict[str, int]]:
    """Return each mix's messages per second and fill hash on its first `count` messages."""
    told = {}
    for mix in MIXES:
        buffer = packed(messages(mix, count))
        took, book = seconds(lambda book, buffer=buffer: book.run(buffer), 1)
        told[mix] = {"per_second": round(count / took), "hash": digest(book)}
    return told


def kernel(count: int, repeats: int, prefix: int) -> dict[str, dict[str, object]]:
    """Return the figures of both mixes, and of the plain files over `prefix` messages."""
    with tempfile.TemporaryDirectory() as folder:
        program = ladder(Path(folder))
        here, interpreted = prefixes(prefix), plain(Path(folder), prefix)
        figures = {}
        for mix in MIXES:
            assert here[mix]["hash"] == interpreted[mix]["hash"], (
                "the plain files made other trades"
            )
            figures[mix] = {
                **measure(mix, program, count, repeats),
                "interpreted_per_second": interpreted[mix]["per_second"],
            }
        return figures


# the whole stream, or as much of it as a slow book gets through in a second or two
SHARES = {"lightmatchingengine": 0.03, "matching-engine": 0.25, "cython-orderbook": 0.25}
HOMES = {"patang": OWN, "pure Python, pared down": OWN, "matching-engine": PEERS_312}


def peers(mix: str, count: int, repeats: int) -> list[dict[str, object]]:
    """Return a row for each book that Python can call, of `repeats` passes.

    Assert that all trade alike.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / mix
        stream = book_peers.plain(messages(mix, count))
        book_peers.save(stream, path)
        sizes = {name: int(len(stream) * SHARES.get(name, 1)) for name in book_peers.CONTENDERS}
        wanted = set(sizes.items()) | {("patang", size) for size in sizes.values()}

        def one(name: str, size: int) -> dict[str, object]:
            return contend(
                "book_peers", name, HOMES.get(name, PEERS), path=str(path), count=size, rounds=1
            )

        told = passes(repeats, {key: lambda key=key: one(*key) for key in sorted(wanted)})
    return [
        row(name, sizes[name], told[name, sizes[name]], told["patang", sizes[name]])
        for name in sizes
    ]


def row(
    name: str, size: int, theirs: list[dict[str, object]], ours: list[dict[str, object]]
) -> dict[str, object]:
    """Return one book's figures beside ours on the same messages."""
    if "absent" in theirs[0]:
        return {"book": name, "absent": theirs[0]["absent"]}
    proof = "hash" if "hash" in theirs[0] else "final"
    assert theirs[0][proof] == ours[0][proof], f"{name} made other trades"
    rates = [[report["per_second"] for report in side] for side in (ours, theirs)]
    return {
        "book": name,
        "version": theirs[0]["version"],
        "messages": size,
        "M calls/s": round(max(rates[1]) / 1e6, 3),
        "patang is": round(ratio(*rates), 2),
        "checked": "same trades" if proof == "hash" else "same final book",
        "peak MB": max(report["rss_mb"] for report in theirs),
    }


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    count, repeats = (60_000, 1) if quick else (1_000_000, 3)
    figures = kernel(count, 3 if quick else 5, 20_000)
    tables = [
        table(
            "From a packed message buffer",
            [
                {
                    "mix": mix,
                    "messages": told["messages"],
                    "fills": told["fills"],
                    "patang M/s": told["book_per_second"] / 1e6,
                    "C++ ladder M/s": told["cpp_per_second"] / 1e6,
                    "of C++ (median)": told["of_cpp_median"],
                    "plain files M/s": told["interpreted_per_second"] / 1e6,
                    "M calls/s from Python": told["calls_per_second"] / 1e6,
                    "without the loop": told["calls_per_second_without_loop"] / 1e6,
                }
                for mix, told in figures.items()
            ],
        )
    ]
    rows = {mix: peers(mix, count, repeats) for mix in MIXES}
    tables += [table(f"Called from interpreted Python, {mix} mix", rows[mix]) for mix in MIXES]
    of_cpp = min(told["of_cpp_median"] for told in figures.values())
    calls = min(told["calls_per_second"] for told in figures.values()) / 1e6
    return section(
        "Order book",
        f"Two seeded mixes of {plural(count, 'message')}; CPU time. The C++ ladder has the same "
        "semantics, is compiled by this run"
        " (g++ -O3) and makes the same fills. The other books get the mix with each modification "
        "as a cancellation and a"
        " new order. Pure Python is a dict of orders, a deque per price and a SortedDict of "
        "prices, with methods to call;"
        " pared down, it cancels in the loop that drives it, and keeps no depth.",
        tables,
        [
            goal(
                "matcher from a message buffer, of the C++ ladder", "≥ 0.6", of_cpp, of_cpp >= 0.6
            ),
            goal("matcher called from interpreted Python, M calls/s", "≥ 5", calls, calls >= 5),
            beyond("bourse", "≥ 3", rows),
            beyond("pure Python", "≥ 6", rows),
        ],
    )


def beyond(name: str, wanted: str, rows: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """Return how the goal "so many times another book" stands, by the worse mix."""
    told = [
        row["patang is"]
        for table in rows.values()
        for row in table
        if row["book"] == name and "patang is" in row
    ]
    measured = min(told, default=None)
    met = None if measured is None else measured >= float(wanted.removeprefix("≥ "))
    return goal(f"matcher called from Python, times {name}", wanted, measured, met)


if __name__ == "__main__":
    json.dump(
        prefixes(int(sys.argv[2])) if sys.argv[1:2] == ["plain"] else run(), sys.stdout, indent=2
    )
    print()
