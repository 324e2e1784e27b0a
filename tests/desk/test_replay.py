"""A recorded day through the whole desk.

The same every time, in both builds, and right to the paisa.
"""

import json

import pyarrow.parquet as pq
import pytest

import compiled
from engine.market.charges import load_rate_table as load_rates
from store.bars.parquet_bars import ParquetBars
from strategies import load_config
from tests.desk.support import REPLAY_DAY, REPLAY_SYMBOLS, ROOT, Patang, get, rows
from tests.reference import notes as reference
from tui.run.session import DeskSession, RunPlan
from tui.run.wiring import open_desk

VARIES = ("wall_s", "peak_rss_mb")
FIELDS = {
    "digest",
    "orders",
    "fills",
    "round_trips",
    "gross",
    "charges",
    "net",
    "start_cash",
    "end_cash",
    "open_positions",
    "naked_positions",
    "halted",
    "refused",
    "unknown",
    "ticks",
    "bars",
    "wall_s",
    "peak_rss_mb",
}
pytestmark = pytest.mark.real_data


def paise(rupees):
    return round(rupees * 100)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory, market_data):
    """Return the figures of the day, replayed in a process of its own."""
    return Patang(tmp_path_factory.mktemp("replayed")).replay(market_data / "nse_1min")


def test_the_same_replay_in_another_process_gives_the_same_day(patang, market_data, replayed):
    again = patang.replay(market_data / "nse_1min")
    assert again.keys() >= FIELDS
    assert again["fills"] > 10
    assert {k: v for k, v in again.items() if k not in VARIES} == {
        k: v for k, v in replayed.items() if k not in VARIES
    }


def test_the_interpreted_and_the_native_core_give_the_same_day(patang, market_data, replayed):
    if not compiled.NATIVE:
        pytest.skip("the tests of the native core compare the two")
    environment = {"PYTHONPATH": str(ROOT)}
    version = json.loads(patang.run("version", "--json", environment=environment).stdout)
    assert version["native"] is False
    interpreted = patang.replay(market_data / "nse_1min", environment=environment)
    assert interpreted["digest"] == replayed["digest"]
    assert interpreted["net"] == replayed["net"]


@pytest.fixture(scope="module")
def day(tmp_path_factory, market_data):
    """Return a finished replay: (station, desk, the exchange's own books)."""
    home = tmp_path_factory.mktemp("day")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        made = DeskSession(
            load_config(None).values,
            RunPlan("replay", market_data / "nse_1min", REPLAY_DAY, REPLAY_SYMBOLS, 0.0),
        )
        desk = open_desk(made)
        assert desk.done.wait(250)
        assert desk.error is None
        books = get(made.endpoint.rest + "/sandbox/books")
        made.close()
    return made, desk, books


def test_cash_positions_and_protection_agree_with_the_exchange_to_the_paisa(day):
    made, desk, books = day
    ledger = desk.kernel.ledger
    bought = sum(
        paise(t["average_price"] * t["quantity"])
        for t in books["trades"]
        if t["transaction_type"] == "BUY"
    )
    sold = sum(
        paise(t["average_price"] * t["quantity"])
        for t in books["trades"]
        if t["transaction_type"] == "SELL"
    )
    assert bought > sold > 0
    assert ledger.cash == ledger.start_cash + sold - bought - ledger.charges
    assert ledger.charges == sum(
        row["charges"] for row in rows(made.database, "SELECT charges FROM fills")
    )

    theirs = {p["instrument_token"]: p["quantity"] for p in books["positions"]}
    ours = {int(p.token): int(p.quantity) for p in ledger.account_positions()}
    assert ours == theirs
    assert any(ours.values())

    held = {token: quantity for token, quantity in ours.items() if quantity}
    guarded = dict.fromkeys(held, 0)
    for gtt in books["gtts"]:
        if gtt["status"] == "active":
            guarded[gtt["condition"]["instrument_token"]] += gtt["orders"][0]["quantity"]
    assert guarded == held
    assert desk.kernel.view.naked() == 0


def test_every_share_at_the_exchange_is_in_the_fills_once(day):
    made, _, books = day
    kept = rows(made.database, "SELECT trade_id, quantity, price FROM fills ORDER BY trade_id")
    told = sorted((t["trade_id"], t["quantity"], t["average_price"]) for t in books["trades"])
    assert [(row["trade_id"], row["quantity"], row["price"]) for row in kept] == told


def test_pnl_on_the_screen_equals_pnl_in_the_export(day, patang):
    made, desk, _ = day
    done = patang.run("export", "trades", "--format", "json", "--database", made.database)
    trades = json.loads(done.stdout)
    total = sum(paise(float(trade["pnl"])) for trade in trades)
    assert total == desk.board.header.pnl == paise(made.summary()["net"])
    shown = {row.key: row.pnl for row in desk.board.positions.rows}
    exported = {
        str(trade["trade_id"]): paise(float(trade["pnl"]))
        for trade in trades
        if trade["status"] == "open"
    }
    assert shown == exported
    assert exported


def test_the_card_of_the_day_says_what_the_export_says(day, patang):
    made, desk, _ = day
    done = patang.run("export", "trades", "--format", "json", "--database", made.database)
    trades = json.loads(done.stdout)
    over = sorted(
        paise(float(trade["pnl"]))
        for trade in trades
        if trade["status"] == "closed" and trade["qty"]
    )
    shown = desk.board.trades
    assert over
    assert (shown.number, shown.worst.pnl, shown.best.pnl) == (len(over), over[0], over[-1])
    by_strategy = {}
    for trade in trades:
        by_strategy[trade["strategy"]] = by_strategy.get(trade["strategy"], 0) + paise(
            float(trade["pnl"])
        )
    nets = {row.name: row.net for row in desk.board.strategies.rows}
    assert {name: net for name, net in nets.items() if net} == {
        name: net for name, net in by_strategy.items() if net
    }
    assert sum(nets.values()) == desk.board.header.pnl


def test_books_screen_export_and_tax_are_charged_what_the_contract_notes_say(day, patang):
    made, desk, books = day
    fills = [
        (
            index,
            each["tradingsymbol"],
            "EQ_INTRADAY" if each["product"] == "MIS" else "EQ_DELIVERY",
            each["order_id"],
            1 if each["transaction_type"] == "BUY" else -1,
            each["quantity"],
            paise(each["average_price"] * each["quantity"]),
        )
        for index, each in enumerate(
            sorted(books["trades"], key=lambda row: int(row["trade_id"].lstrip("T")))
        )
    ]
    rates = {
        name: load_rates().rates(name, "NSE", 20240604) for name in ("EQ_DELIVERY", "EQ_INTRADAY")
    }
    notes = {name: paise(float(total)) for name, total in reference.notes(fills, rates).items()}
    assert set(notes) == {"EQ_DELIVERY", "EQ_INTRADAY"}, (
        "some of what was bought is sold on the day, some stays"
    )
    assert desk.kernel.ledger.charges == desk.board.header.charges == sum(notes.values())
    assert paise(made.summary()["charges"]) == sum(notes.values())
    done = patang.run("export", "trades", "--format", "json", "--database", made.database)
    assert sum(paise(float(row["charges"])) for row in json.loads(done.stdout)) == sum(
        notes.values()
    )

    told = json.loads(
        patang.run("tax", "--fy", "2024-25", "--database", made.database, "--json").stdout
    )
    account = {
        row["segment"]: paise(row["charges"])
        for row in told["account"]
        if row["what"] == "contract note"
    }
    assert account == notes
    summary = {row["item"]: paise(row["amount"]) for row in told["summary"]}
    assert summary["intraday charges"] == notes["EQ_INTRADAY"]
    assert summary["charges of the year's contract notes"] == sum(notes.values())


def test_the_bars_the_desk_stores_are_the_bars_that_were_recorded(day, market_data):
    made, _, _ = day
    store = ParquetBars(made.database.with_suffix(".bars"))
    for symbol in REPLAY_SYMBOLS:
        table = pq.read_table(market_data / "nse_1min" / f"{symbol}.parquet").to_pandas()
        table = table[table["timestamp"].dt.strftime("%Y-%m-%d") == REPLAY_DAY].drop_duplicates(
            "timestamp", keep="last"
        )
        recorded = [
            (row.timestamp.value, row.open, row.high, row.low, row.close, row.volume)
            for row in table.itertuples()
        ]
        kept = store.read(symbol, 60, 0, 2**62, "live")
        assert [(b.start, b.open, b.high, b.low, b.close, b.volume) for b in kept] == recorded


def test_bars_are_exported_for_every_symbol_or_for_one(day, patang):
    made, _, _ = day
    where = {"XDG_STATE_HOME": str(made.state.parent.parent)}
    everything = json.loads(
        patang.run(
            "export", "bars", "--format", "json", "--mode", "replay", environment=where
        ).stdout
    )
    assert {bar["symbol"] for bar in everything} == set(REPLAY_SYMBOLS)
    one = patang.run(
        "export",
        "bars",
        "--format",
        "json",
        "--mode",
        "replay",
        "--symbol",
        "BEL",
        environment=where,
    )
    assert [bar for bar in everything if bar["symbol"] == "BEL"] == json.loads(one.stdout)
    missing = patang.run(
        "export", "bars", "--mode", "replay", "--symbol", "NOSUCH", environment=where
    )
    assert missing.returncode == 2
    assert "NOSUCH" in missing.stderr
