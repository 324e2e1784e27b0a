"""The native build and the plain files make the same trades from the same stream."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import hashlib, random, sys
import compiled
from compiled.book.order_book import OrderBook

rng = random.Random(20261120)
book = OrderBook(900, 1100)
answers = hashlib.sha256()
for order in range(1, 12_001):
    mid = 1000 + (order // 300) % 25
    side = rng.choice((1, -1))
    quantity = rng.randint(1, 500)
    kind = rng.random()
    if order % 3000 == 0:
        book.collect()
    if order % 3000 == 200:
        told = (*book.indicative(mid), *book.uncross(mid))
    elif kind < 0.55:
        peak = rng.choice((0, 0, 0, max(1, quantity // 7)))
        price = mid - side * rng.randint(-3, 30)
        told = book.limit(order, side, price, quantity, rng.randint(0, 6), 0, peak)
    elif kind < 0.65:
        price = mid + side * 3
        told = book.limit(order, side, price, quantity, rng.randint(0, 6), rng.choice((1, 2)))
    elif kind < 0.72:
        bound = rng.choice((-1, mid, mid + side * 5))
        told = book.market(order, side, quantity, 0, bound, rng.random() < 0.3)
    elif kind < 0.87:
        told = book.cancel(rng.randint(1, order))
    else:
        told = book.modify(rng.randint(1, order), mid + rng.randint(-25, 25), quantity)
    if order % 100 == 0:
        told = (told, book.depth(1, 5), book.depth(-1, 5), book.best(1), book.best(-1))
    answers.update(repr(told).encode())
for index in range(book.fills()):
    answers.update(repr(book.fill(index)).encode())
print(compiled.NATIVE, book.fills(), answers.hexdigest())
"""


def told_by(folder):
    """Run the script in `folder`, with its `compiled`, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return done.stdout.split()


def test_the_native_book_and_the_plain_book_make_the_same_trades(tmp_path):
    native = Path(os.environ.get("PATANG_NATIVE_PATH", ROOT / "build" / "native"))
    if not list(native.glob("compiled/book/*.so")):
        pytest.skip(f"no native build at {native}; set PATANG_NATIVE_PATH")
    shutil.copytree(ROOT / "compiled", tmp_path / "compiled")
    plain, fast = told_by(tmp_path), told_by(native)
    assert (plain[0], fast[0]) == ("False", "True")
    assert int(plain[1]) > 2_000
    assert plain[1:] == fast[1:]
