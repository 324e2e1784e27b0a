"""A desk records its feed, and the recording plays again: same ticks, same bars, same digest."""

import pytest

from brokers.sandbox import key
from compiled.model import MINUTE
from store.bars.parquet import ParquetBars
from tests.desk.support import rows, wait_for
from tui.recorded import Reading, play, runs
from tui.runs import bars_folder
from tui.station import Run

TEXT = """
[feed]
record = true
watch = ["INFY", "TCS", "ITC", "SBIN"]
stale_after_s = 600
"""
FAULTS = [
    {"kind": "duplicate", "on": "ticks", "chance": 0.1},
    {"kind": "reorder", "on": "ticks", "chance": 0.1},
    {"kind": "drop", "on": "ticks", "chance": 0.05},
    {"kind": "delay", "on": "ticks", "chance": 0.05, "seconds": 90},
    {"kind": "poison", "times": 3, "skip": 5},
    {"kind": "close", "on": "ticks", "skip": 20},
]


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["well", "faults"])
def test_a_recorded_day_plays_to_the_same_bars(station, faults):
    made = station(Run(speed=60.0, start="10:00"), TEXT)
    desk = made.open()
    wait_for(lambda: made.board.header.state == "running", "it runs")
    if faults:
        key.ask(made.endpoint.rest, "POST", "/sandbox/faults", faults)
    wait_for(lambda: desk.kernel.bar_count > 12, "bars close")
    made.close()
    assert desk.error is None
    [run] = runs(made.state / "recordings", "sandbox")
    reading, shown = Reading(run), []
    outcome = play(reading, lambda event, bars: shown.extend(bars))
    assert outcome.whole
    assert outcome.equal
    assert {row["reason"] for row in rows(made.database, "SELECT reason FROM letters")} == (
        {"frame"} if faults else set()
    )
    facts = desk.facts()
    assert (outcome.ticks, outcome.bars) == (facts["ticks"], facts["bars"])
    store = ParquetBars(bars_folder(made.config, "sandbox", made.database))
    filled = [(row["token"], row["began"], row["ended"]) for row in rows(made.database, "SELECT * FROM gaps")]
    compared = 0
    for token, market in desk.kernel.markets.items():
        stored = {bar.start: values(bar) for bar in store.read(market.instrument.symbol, 60, 0, 2**62, "live")}
        again = {bar.start: values(bar) for bar in shown if (bar.token, bar.span) == (token, 60)}
        other = [start for start, bar in again.items() if stored[start] != bar]
        read_later = {s for s in again for t, began, ended in filled if t == token and began < s + MINUTE and s < ended}
        compared += len(again)
        assert {*other} <= read_later, "only what the broker's history has filled differs"
        assert other == [] or faults
    assert compared


def values(bar):
    return bar.open, bar.high, bar.low, bar.close, int(bar.volume)
