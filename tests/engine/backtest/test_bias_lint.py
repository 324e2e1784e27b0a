"""Faults in the source of a strategy, line by line, and their harmless lookalikes."""

import pytest

from compiled.trading.strategy import Strategy
from engine.backtest.bias.source_lint import RULES, SourceTree, lint_strategies, reads_on_its_own
from strategies import build, load_config
from tests.engine.backtest.biased import Trader
from tui.commands.backtest.backtest_request import BacktestRequest, chosen_strategies

CHEATS = [
    ("clock", "from datetime import datetime as dt\nx = dt.now()", 2, "datetime.datetime.now"),
    ("clock", "import datetime\nx = datetime.date.today()", 2, "datetime.date.today"),
    ("clock", "import time as t\nx = t.monotonic()", 2, "time.monotonic"),
    ("clock", "from time import time\nx = time()", 2, "time.time"),
    ("random", "import random\nx = random.random()", 2, "random.random"),
    ("random", "import random\nx = random.Random()", 2, "random.Random"),
    ("random", "import numpy as np\nx = np.random.normal()", 2, "numpy.random.normal"),
    (
        "random",
        "from numpy.random import default_rng\nx = default_rng()",
        2,
        "numpy.random.default_rng",
    ),
    ("network", "import requests", 1, "imports requests"),
    ("network", "from urllib.request import urlopen", 1, "imports urllib.request"),
    (
        "threads",
        "from concurrent.futures import ThreadPoolExecutor",
        1,
        "imports concurrent.futures",
    ),
    ("threads", "import os\nos.system('true')", 2, "os.system"),
    ("files", "x = open('a')", 1, "open"),
    ("files", "import pandas as pd\nx = pd.read_csv('a')", 2, "pandas.read_csv"),
    ("files", "from pathlib import Path\nx = Path('a').read_text()", 2, ".read_text()"),
    ("files", "import duckdb", 1, "imports duckdb"),
    (
        "files",
        "from store.bars.parquet_bars import ParquetBars",
        1,
        "imports store.bars.parquet_bars",
    ),
    ("state", "SEEN = {}\ndef f(a):\n    SEEN[a] = 1", 3, "changes SEEN of the module"),
    (
        "state",
        "from collections import deque\nLAST = deque()\ndef f(a):\n    LAST.append(a)",
        4,
        "changes LAST of the module",
    ),
    (
        "state",
        "class A:\n    seen = []\n    def f(self, a):\n        self.seen.append(a)",
        4,
        "changes seen of the class",
    ),
    ("state", "class A:\n    n = 0\n    def f(self):\n        A.n = 1", 4, "sets n of the class"),
    ("state", "n = 0\ndef f():\n    global n\n    n = 1", 3, "global n"),
    ("state", "def f(a=[]):\n    return a", 1, "f has a mutable default"),
    (
        "last-row",
        "import pandas as pd\nbars = pd.read_parquet('a')\nx = bars['close'].values[-1]",
        3,
        "the last row",
    ),
    (
        "last-row",
        (
            "class A:\n    def __init__(self, store):\n        self.bars = store.columns('A')\n"
            "    def f(self):\n"
            "        return self.bars.close[-1]"
        ),
        5,
        "the last row",
    ),
    ("last-row", "def f(frame):\n    return frame.iloc[-1]", 2, "the last row"),
    ("last-row", "def f(frame):\n    return frame.shift(-1)", 2, "later rows"),
    ("last-row", "def f(frame):\n    return frame.rolling(5, center=True)", 2, "later rows"),
    ("order", "x = hash('a')", 1, "hash()"),
    ("order", "def f(names):\n    for each in set(names):\n        pass", 2, "the order of a set"),
    (
        "order",
        (
            "class A:\n    def __init__(self):\n        self.names = set()\n    def f(self):\n"
            "        return [x for x in self.names]"
        ),
        5,
        "the order of a set",
    ),
]


@pytest.mark.parametrize(("rule", "text", "line", "what"), CHEATS)
def test_a_cheat_is_found_on_its_line(rule, text, line, what):
    hits = {
        name: [(hit.line, hit.what) for hit in found(SourceTree("mine.py", text))]
        for name, found in RULES.items()
    }
    assert any(at == line and what in said for at, said in hits[rule])


HONEST = """
import random
from datetime import datetime, timedelta
from random import Random
import numpy as np
LEVELS = [1, 2, 3]
class Mine:
    names = ("a", "b")
    seen = []
    def __init__(self, time, open_price):
        self.dice = random.Random(7)
        self.other: Random = Random(7)
        self.noise = np.random.default_rng(7)
        self.seen = []
        self.closes = {}
        self.kept = set()
        self.time = time
    def on_bar(self, ctx, bar):
        self.seen.append(bar.close)
        self.closes.setdefault(bar.token, []).append(bar.close)
        self.kept.add(bar.token)
        local = []
        local.append(self.seen[-1])
        for each in sorted(self.kept):
            local[-1] = LEVELS[-1]
        if bar.token in self.kept:
            self.time.sleep = datetime.fromtimestamp(bar.start // 10**9) - timedelta(days=1)
        return self.dice.random(), self.time.time(), self.closes[bar.token][-1]
"""


def test_what_looks_like_it_and_is_none_is_left_alone():
    source = SourceTree("mine.py", HONEST)
    assert {name: [hit.text for hit in rule(source)] for name, rule in RULES.items()} == {
        name: [] for name in RULES
    }


def test_a_hit_names_file_and_line_of_a_class_and_of_what_it_is_made_of(tmp_path, monkeypatch):
    base, mine = tmp_path / "patang_base_of_a_test.py", tmp_path / "mine.py"
    base.write_text(
        "import time\nfrom compiled.trading.strategy import Strategy\nclass Base(Strategy):\n"
        "    at = time.time()\n"
    )
    mine.write_text(
        "from patang_base_of_a_test import Base\nclass Mine(Base):\n    def __init__(self, name, "
        "p):\n"
        "        super().__init__(name, 60)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    [hit] = lint_strategies([build("mine", {"source": f"{mine}:Mine"})])["clock"]
    assert hit.text == f"{base}:4: time.time"


@pytest.mark.parametrize("name", ["momentum_ladder", "moving_average_cross"])
def test_what_is_shipped_has_nothing_of_the_kind_and_reads_nothing_on_its_own(name):
    [(_, _, table)] = chosen_strategies(load_config(None).values, BacktestRequest(name))
    strategy = build(name, table)
    assert all(not hits for hits in lint_strategies([strategy]).values())
    assert not reads_on_its_own([strategy])


def test_who_imports_more_than_what_reckons_may_read_more_than_it_hears():
    assert reads_on_its_own([Trader()])
    assert not reads_on_its_own([Strategy("plain", 60)])
