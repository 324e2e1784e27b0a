"""A recorded day with faults.

Golden bars made of it and the broker's history differ where a fault struck, by its name.
"""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.sandbox.api import admin_key
from engine.history import golden_bars
from store.bars.parquet_bars import ParquetBars
from tests.desk.support import wait_for
from tui.commands.cli import run_command
from tui.run.run_records import bars_folder
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

IST = timezone(timedelta(hours=5, minutes=30))
DAY = "2026-11-20"
SYMBOLS = ("AAA", "BBB")
MINUTES = 11
TEXT = """
[feed]
record = true
stale_after_s = 600
"""


@pytest.fixture
def tape(tmp_path):
    """A market in which every minute has four prints, seconds apart.

    What a feed of whole seconds can carry.
    """
    folder = tmp_path / "tape"
    folder.mkdir()
    opens = datetime.fromisoformat(f"{DAY}T09:15").replace(tzinfo=IST)
    for number, symbol in enumerate(SYMBOLS):
        rows = []
        for minute in range(60):
            base = 1_000.0 + 100 * number + minute % 7
            rows.append(
                (
                    opens + timedelta(minutes=minute),
                    base,
                    base + 2.0,
                    base - 1.5,
                    base + 0.5,
                    400 + minute,
                )
            )
        names = ("timestamp", "open", "high", "low", "close", "volume")
        pq.write_table(
            pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))),
            folder / f"{symbol}.parquet",
        )
    return folder


def lived(station, tape, tmp_path, monkeypatch, speed, *, feed=(), history=()):
    """Live the first minutes of the tape with faults.

    Return what golden bars of it differ in: (symbol, minute) and cause.
    """
    made = station(RunPlan("replay", tape, DAY, SYMBOLS, speed, start="09:11"), TEXT)
    desk = open_desk(made)
    # a machine that is late itself makes no packets stand for others
    desk.ports.feed._late_after = float("inf")
    wait_for(lambda: made.board.header.state == "running", "it runs")
    rest = made.endpoint.rest
    # the desk fills the gaps it knows of by itself: this one cannot
    admin_key.call_admin(
        rest,
        "POST",
        "/sandbox/faults",
        [*feed, {"kind": "503", "on": "GET /instruments/historical/*"}],
    )
    wait_for(lambda: desk.board.header.now >= ends(MINUTES) + 10 * 10**9, "minutes pass")
    desk.stop()
    desk.join()
    admin_key.call_admin(rest, "DELETE", "/sandbox/faults")
    if history:
        admin_key.call_admin(rest, "POST", "/sandbox/faults", [*history])
    folder, place = bars_folder(made.config, "replay", made.database), made.endpoint
    other = tmp_path / "vendor.toml"
    other.write_text(
        f'[broker]\nrest = "{place.rest}"\nws = "{place.ws}"\napi_key = "{place.api_key}"\n'
        f'access_token = "{place.access_token}"\n'
    )
    other.chmod(0o600)
    about = ("--config", str(other), "--folder", str(folder))
    assert (
        run_command(
            ["bars", "download", *about, "--symbols", ",".join(SYMBOLS), "--from", DAY, "--to", DAY]
        )
        == 0
    )
    made.close()
    found, symbols = {}, []

    def explained(symbol, *arguments):
        symbols.append(symbol)
        return explain(symbol, *arguments)

    def told(each, *arguments):
        made = cause(each, *arguments)
        found[symbols[-1], f"{datetime.fromtimestamp(each.start // 10**9, IST):%H:%M}"] = made[0]
        return made

    explain, cause = golden_bars.explain_differences, golden_bars._difference_cause
    monkeypatch.setattr(golden_bars, "explain_differences", explained)
    monkeypatch.setattr(golden_bars, "_difference_cause", told)
    assert run_command(["bars", "golden", "build", *about]) == 0
    store = ParquetBars(folder)
    for symbol in SYMBOLS:
        assert len(store.read(symbol, 60, 0, ends(MINUTES), "golden-1")) == MINUTES
        kept, vendors = (
            store.columns(symbol, 60, ends(0), ends(MINUTES), name)
            for name in ("golden-1", "vendor")
        )
        assert golden_bars.series_digest(kept) == golden_bars.series_digest(vendors)
    after = {at: why for at, why in found.items() if at[1] >= f"09:{15 + MINUTES}"}
    assert set(after.values()) <= {"desk away"}, "the exchange went on without it"
    return {at: why for at, why in found.items() if at not in after}


def ends(minutes):
    return (
        int(datetime.fromisoformat(f"{DAY}T09:{15 + minutes}").replace(tzinfo=IST).timestamp())
        * 10**9
    )


FEED = [
    {"kind": "drop", "on": "ticks", "at": "09:16", "lasts": 60},
    {"kind": "delay", "on": "ticks", "at": "09:18", "lasts": 60, "seconds": 70},
    {"kind": "close", "on": "ticks", "at": "09:22:10"},
    {"kind": "503", "on": "socket", "at": "09:22:10", "lasts": 70},
]
HISTORY = [
    {"kind": "correct", "where": {"minute": "09:21", "tradingsymbol": "AAA"}},
    {"kind": "auction", "share": 0.3, "where": {"minute": "09:15", "tradingsymbol": "BBB"}},
]
STRUCK = {
    "09:16": "not in the feed",
    "09:18": "late ticks",
    "09:22": "feed away",
    "09:23": "feed away",
}
AFTER = {
    "09:17": "not in the feed",
    "09:19": "late ticks",
    "09:20": "late ticks",
    "09:24": "feed away",
    "09:25": "feed away",
}
"""What the faults do to the minutes after theirs.

The volume that was missed, packets that come late, the way back.
"""


def check(found, *, machine):
    """What was struck has its cause, and nothing else differs.

    Where `machine`, but for what it made late itself.
    """
    for symbol in SYMBOLS:
        assert {minute: found.pop((symbol, minute), None) for minute in STRUCK} == STRUCK
        for minute, cause in AFTER.items():
            assert found.pop((symbol, minute), cause) in {cause, "late ticks"}
    assert found.pop(("AAA", "09:21")) == "vendor correction"
    assert found.pop(("BBB", "09:15")) == "opening or closing print"
    assert set(found.values()) <= ({"late ticks"} if machine else set())


def test_every_difference_has_the_cause_that_the_fault_was(station, tape, tmp_path, monkeypatch):
    check(
        lived(station, tape, tmp_path, monkeypatch, 30.0, feed=FEED, history=HISTORY), machine=True
    )


@pytest.mark.soak
@pytest.mark.parametrize("faults", [True, False])
def test_at_an_easy_pace_there_is_no_other_difference(station, tape, tmp_path, monkeypatch, faults):
    if faults:
        check(
            lived(station, tape, tmp_path, monkeypatch, 10.0, feed=FEED, history=HISTORY),
            machine=False,
        )
    else:
        assert lived(station, tape, tmp_path, monkeypatch, 10.0) == {}
