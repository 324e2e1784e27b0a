"""The market's commands as an operator runs them: what they print, and how they refuse."""

import asyncio
import csv
import io
import json
import shlex
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from compiled.model.values import Side
from engine.errors import OperatorError
from engine.market import charges
from engine.market.break_even import break_even_ticks
from engine.system.workbook import SpreadsheetTable, write_workbook
from store.sqlite_journal import SqliteJournal
from tui.commands.cli import app, run_command

NOON = 1_763_620_200_000_000_000  # 2025-11-20 12:00 IST
OPTION = [
    "--exchange",
    "NSE",
    "--segment",
    "OPT",
    "--side",
    "SELL",
    "--qty",
    "65",
    "--price",
    "146",
]
PARTS = ["brokerage", "tax", "txn", "ipft", "sebi", "gst", "stamp", "total"]
DUMP = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n"
    "408065,1594,INFY,INFOSYS,0.0,,0.0,0.1,1,EQ,NSE,NSE\n"
    "11,1,INFY26AUGFUT,INFY,0.0,2026-08-25,0.0,0.1,400,FUT,NFO-FUT,NFO\n"
    "12,2,INFY26AUG1500CE,INFY,0.0,2026-08-25,1500.0,0.05,400,CE,NFO-OPT,NFO\n"
)


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    def command(*arguments):
        code = run_command([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def answer(run):
    def command(*arguments):
        code, out, err = run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return command


def test_the_calendar_tells_the_phases_of_an_auction_stock(answer):
    told = answer("calendar", "--date", "2026-08-03", "--cas")
    assert (told["open"], told["close"], told["square_off"]) == ("09:15", "15:15", "15:12")
    assert told["phases"][3] == {"name": "continuous", "start": "09:15", "end": "15:15"}
    assert told["after_market_orders"] == ["2026-07-31 16:00", "2026-08-03 08:58"]
    assert (told["previous_trading_day"], told["next_trading_day"]) == ("2026-07-31", "2026-08-04")
    assert answer("calendar", "2026-07-31", "--cas") == answer("calendar", "--cas", "2026-07-31")
    assert answer("calendar", "--date", "2026-07-31", "--cas")["close"] == "15:30"
    assert answer("calendar", "--date", "2026-08-03", "--exchange", "NFO")["close"] == "15:40"


def test_a_holiday_has_neighbours_and_no_phases(answer):
    told = answer("calendar", "--date", "2026-11-24")
    assert told["trading_day"] is False
    assert "phases" not in told
    assert (told["previous_trading_day"], told["next_trading_day"]) == ("2026-11-23", "2026-11-25")


def test_the_last_day_of_the_lists_has_no_known_next_day(answer):
    assert answer("calendar", "--date", "2026-12-31")["next_trading_day"] is None


@pytest.mark.parametrize(
    ("day", "complaint"),
    [
        ("2027-01-04", "no holiday list of NSE for 2027"),
        ("2026-11-08", "is not known"),
        ("2026-13-01", "YYYY-MM-DD"),
    ],
)
def test_a_day_that_is_not_known_is_one_line_and_exit_2(run, day, complaint):
    code, out, err = run("calendar", "--date", day)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_without_a_date_the_calendar_tells_how_it_is_now(run):
    code, out, _ = run("calendar", "--exchange", "NSE")
    assert code == 0
    assert "\nnow " in out
    assert "\nuntil " in out


def test_the_charges_of_an_option_are_itemised_exactly_and_as_the_note(answer):
    told = answer("charges", *OPTION, "--date", "2026-04-01")
    assert list(told["estimate"]) == list(told["note"]) == PARTS
    assert told["estimate"]["tax"] == 14.235
    assert told["estimate"]["txn"] == 3.371797
    assert told["estimate"]["total"] == pytest.approx(41.82491866)
    # STT 14.24 billed as 14, GST 2 x 2.10 on 23.38
    assert [told["note"][name] for name in PARTS] == [20.0, 14.0, 3.37, 0.0, 0.01, 4.2, 0.0, 41.58]
    assert answer("charges", *OPTION, "--date", "2026-03-31")["estimate"]["tax"] == 9.49


def test_the_legs_of_one_day_share_a_note(answer):
    told = answer(
        "charges",
        "--exchange",
        "NSE",
        "--segment",
        "EQ_INTRADAY",
        "--side",
        "BUY",
        "--side",
        "SELL",
        "--qty",
        "100",
        "--price",
        "1000",
        "--price",
        "1005",
        "--date",
        "2026-11-20",
    )
    assert told["estimate"]["total"] == pytest.approx(82.824903)
    assert told["note"]["total"] == 82.7
    assert [leg["side"] for leg in told["legs"]] == ["BUY", "SELL"]


def test_legs_are_read_from_a_file(answer, tmp_path):
    legs = tmp_path / "legs.csv"
    legs.write_text(
        "exchange,segment,side,qty,price\nNFO,FUT,BUY,65,26000\nNFO,FUT,SELL,65,26050\nMCX,COM_FUT,SELL,10,120100\n"
    )
    told = answer("charges", "--file", legs, "--date", "2026-11-20", "--tick", "0.1")
    assert told["estimate"]["tax"] == pytest.approx(846.625 + 120.1)
    assert told["note"]["tax"] == 847 + 120
    assert len(told["legs"]) == 3


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--exchange", "NSE"], "--segment is given not at all"),
        ([*OPTION, "--side", "BUY", "--side", "BUY", "--qty", "65"], "--qty is given 2 times"),
        ([*OPTION[:3], "OTP", *OPTION[4:]], "segment 'OTP': the nearest is OPT"),
        ([*OPTION[:7], "0", *OPTION[8:]], "qty '0': expected a number above 0"),
        ([*OPTION[:7], "1.5", *OPTION[8:]], "expected a whole number"),
        ([*OPTION[:9], "nan"], "price 'nan'"),
        ([*OPTION, "--date", "2020-06-30"], "20200630: add the row"),
        (["--file", "absent.csv"], "absent.csv"),
        ([], "--exchange is given not at all"),
        ([*OPTION, "--file", "legs.csv"], "not from both"),
        (
            [*OPTION[:7], "100000000", "--price", "1000000"],
            "100000000 at 1000000: turnover above ₹1,000 crore",
        ),
        (
            [
                *[
                    "--exchange",
                    "NSE",
                    "--segment",
                    "EQ_MTF",
                    "--side",
                    "BUY",
                    "--qty",
                    "1",
                    "--price",
                    "9999999999",
                ]
            ],
            "turnover above",
        ),
        ([*OPTION, "--tick", "nan"], "--tick nan"),
        ([*OPTION, "--tick", "-0.05"], "--tick -0.05"),
        ([*OPTION, "--tick", "1e-9"], "--tick 1e-09: expected rupees, 0.0001 or more"),
        (
            ["--exchange", "NFO", "--segment", "EQ_DELIVERY", *OPTION[4:]],
            "NFO trades FUT and OPT, no EQ_DELIVERY",
        ),
    ],
)
def test_legs_that_cannot_be_charged_are_one_line_and_exit_2(run, arguments, complaint):
    code, out, err = run("charges", *arguments)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("row", ["NSE,OPT,SELL,65", "NSE,OPT,SELL,65,146,7"])
def test_a_row_with_too_few_or_too_many_values_is_named(run, tmp_path, row):
    legs = tmp_path / "legs.csv"
    legs.write_text(f"exchange,segment,side,qty,price\nNSE,OPT,SELL,65,146\n{row}\n")
    code, out, err = run("charges", "--file", legs, "--date", "2026-11-20")
    assert (code, out, err) == (2, "", f"patang: {legs}, line 3: expected 5 values\n")


@pytest.mark.parametrize(
    ("segment", "exchange", "side", "quantity", "price", "tick", "first"),
    [
        # 40 + STT 14.34 + 6.75 + 0.02 + 0.28 + GST 8.42 are ₹69.81 for 65: ₹1.074 each
        ("OPT", "NSE", Side.BUY, 65, 146.0, 0.05, 22),
        ("OPT", "NSE", Side.SELL, 65, 146.0, 0.05, 22),
        # STT 9 + 0.28 + 0.67 + 0.01 + GST 0.05 are ₹10.01 for 3: ₹3.34 each
        ("EQ_DELIVERY", "NSE", Side.BUY, 3, 1498.0, 0.1, 34),
        # 40 + STT 25 + 7.47 + 0.2 + 3 + GST 8.58 are ₹84.25 for 100
        ("EQ_INTRADAY", "BSE", Side.SELL, 100, 1000.0, 0.05, 17),
        ("FUT", "NSE", Side.BUY, 65, 26000.0, 0.1, 155),
    ],
)
def test_break_even_is_the_tick_that_a_note_by_hand_gives(
    segment, exchange, side, quantity, price, tick, first
):
    rates = charges.load_rate_table().rates(segment, exchange, 20261120)
    assert break_even_ticks(rates, side, quantity, price, tick) == first


@pytest.mark.parametrize(
    ("segment", "exchange", "side", "quantity", "price", "tick"),
    [
        ("OPT", "NSE", Side.SELL, 65, 146.0, 0.05),
        ("EQ_DELIVERY", "NSE", Side.BUY, 1, 9_999_999.0, 0.0001),
        ("EQ_INTRADAY", "NSE", Side.SELL, 7, 123.4567, 0.0001),
    ],
)
def test_break_even_is_the_first_tick_that_pays(segment, exchange, side, quantity, price, tick):
    rates = charges.load_rate_table().rates(segment, exchange, 20261120)
    ticks = break_even_ticks(rates, side, quantity, price, tick)

    def left(moved):
        away = round(price + side * moved * tick, 4)
        pair = ((side, price), (Side.BUY if side is Side.SELL else Side.SELL, away))
        cost = sum(charged(rates, each, quantity, at) for each, at in pair)
        return side * (round(away * quantity * 100) - round(price * quantity * 100)) - cost

    assert left(ticks) >= 0
    assert left(ticks - 1) < 0


def charged(rates, side, quantity, price):
    from compiled.accounting.charges import order_charges

    return order_charges(rates, side, quantity, round(price * quantity * 100))


def test_a_cheap_option_sold_alone_never_pays_its_charges():
    rates = charges.load_rate_table().rates("OPT", "NSE", 20261120)
    assert break_even_ticks(rates, Side.SELL, 1, 1.0, 0.05) is None


def test_break_even_of_a_future_needs_its_tick(answer, run):
    future = [
        "--exchange",
        "NFO",
        "--segment",
        "FUT",
        "--side",
        "BUY",
        "--qty",
        "65",
        "--price",
        "26000",
    ]
    assert answer("charges", *future, "--date", "2026-11-20")["break_even_ticks"] is None
    # 422.5 + 30.96 + 1.69 + 33.8 + 40 + 18 % of 72.6 are ₹1,004 for 65 shares
    assert (
        answer("charges", *future, "--date", "2026-11-20", "--tick", "0.1")["break_even_ticks"]
        == 155
    )
    assert "name the --tick" in run("charges", *future, "--date", "2026-11-20")[1]


def trade(number, day, side, quantity, price, product="CNC", symbol="INFY"):
    ts = NOON + day * 86_400_000_000_000 + number
    common = {"intent": number, "token": 408065, "symbol": symbol, "exchange": "NSE", "side": side}
    fill = common | {
        "trade_id": f"T{number}",
        "order_id": f"O{number}",
        "rung": 1,
        "strategy": "s",
        "quantity": quantity,
        "price": price,
        "ts": ts,
        "charges": 10_00,
        "realised": 0,
    }
    return fill, common | {
        "tag": f"t{number}",
        "kind": "order",
        "quantity": quantity,
        "product": product,
    }


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "desk.db"
    journal = SqliteJournal(path, lambda name, error: None)
    rows = [
        trade(1, 0, "BUY", 10, 1500.0),
        trade(2, 5, "SELL", 4, 1600.0),
        trade(3, 6, "BUY", 5, 100.0, "MIS", "BEL"),
        trade(4, 6, "SELL", 5, 98.0, "MIS", "BEL"),
    ]
    written_off, intent = trade(5, 7, "SELL", 6, 1700.0)
    # no trade of the desk: the tradebook has it
    rows.append((written_off | {"order_id": "correction-5"}, intent))

    async def write():
        for fill, intent in rows:
            journal.append("intents", intent)
            journal.append("fills", fill)
        await journal.commit()

    asyncio.run(write())
    journal.close()
    return path


def test_the_tax_statement_of_the_desk_s_fills_is_csv_in_rupees(run, database):
    code, out, err = run("tax", "--fy", "2025-26", "--database", database)
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [
        (row["section"], row["symbol"], row["quantity"], row["cost"], row["proceeds"])
        for row in rows
    ] == [
        ("delivery", "INFY", "4", "6000.00", "6400.00"),
        ("intraday", "BEL", "5", "500.00", "490.00"),
    ]
    # notes: purchase STT 15 + NSE 0.45 + IPFT 0.02 + SEBI 0.02 + stamp 2 + GST 0.08, sale STT 6 +
    # 0.19 + 0.01 + 0.01 + 0.04; 4/10 of 17.57 and 6.25 are charged, ₹6.40 + 4/10 of ₹15.00 are STT
    assert (rows[0]["charges"], rows[0]["stt"], rows[0]["gain"]) == ("13.28", "12.40", "399.12")
    assert (rows[0]["term"], rows[0]["percent"], rows[0]["days"]) == ("short", "20.0", "5")
    assert (rows[1]["turnover"], rows[1]["gain"]) == ("10.00", "-10.39")


def test_the_other_views_and_json_tell_the_same(run, answer, database):
    told = answer("tax", "--fy", "2025-26", "--database", database)
    assert [
        line["amount"] for line in told["summary"] if line["item"].startswith("short-term gains")
    ] == [
        399.12,
        399.12,
    ]
    assert [(lot["symbol"], lot["quantity"]) for lot in told["open"]] == [("INFY", 6)]
    assert told["account"][-1]["balance"] == pytest.approx(
        sum(line["amount"] for line in told["account"])
    )
    _, out, _ = run("tax", "--fy", "2025-26", "--database", database, "--view", "summary")
    assert "intraday turnover,,10.00" in out
    _, out, _ = run("tax", "--fy", "2026-27", "--database", database)
    assert out.count("\n") == 1


def test_a_tradebook_of_an_earlier_year_joins_the_fills(run, database, tmp_path):
    book = tmp_path / "book.csv"
    book.write_text(
        "symbol,trade_date,exchange,trade_type,quantity,price,order_id,order_execution_time\n"
        "INFY,2024-05-02,NSE,buy,3,1400,X,2024-05-02T10:00:00\n"
    )
    out = tmp_path / "tax.csv"
    code, _, _ = run(
        "tax", "--fy", "2025-26", "--database", database, "--trades", book, "--out", out
    )
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert code == 0
    assert [(row["term"], row["quantity"], row["cost"]) for row in rows[:2]] == [
        ("long", "3", "4200.00"),
        ("short", "1", "1500.00"),
    ]


def test_a_fill_that_the_tradebook_has_too_is_one_trade_with_the_desk_s_product(
    run, database, tmp_path
):
    alone = run("tax", "--fy", "2025-26", "--database", database)[1]
    day = next(row for row in csv.DictReader(io.StringIO(alone)) if row["symbol"] == "BEL")[
        "closed"
    ]
    book = tmp_path / "book.csv"
    book.write_text(
        "symbol,trade_date,exchange,trade_type,quantity,price,trade_id,order_id,order_execution_time\n"
        f"BEL,{day},NSE,buy,5,100,T3,O3,{day}T09:15:06\nBEL,{day},NSE,sell,5,98,T4,O4,{day}T09:15:06\n"
    )
    code, out, err = run("tax", "--fy", "2025-26", "--database", database, "--trades", book)
    assert (code, out) == (0, alone)
    assert "2 rows repeat a trade" in err


def test_a_sale_without_its_purchase_is_told_on_stderr(run, tmp_path):
    book = tmp_path / "book.csv"
    book.write_text(
        "symbol,trade_date,exchange,trade_type,quantity,price,order_id,order_execution_time\n"
        "INFY,2025-05-02,NSE,sell,3,1400,X,2025-05-02T10:00:00\n"
    )
    code, out, err = run("tax", "--fy", "2025-26", "--trades", book)
    assert (code, out.count("\n")) == (0, 1)
    assert "3 shares were sold without a purchase" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--fy", "2025"], "2025-26"),
        (["--fy", "2025-26", "--database", "absent.db"], "no database absent.db"),
        (["--fy", "2025-26", "--trades", "absent.csv"], "absent.csv"),
        (["--fy", "2025-26", "--format", "xlsx"], "name a file with --out"),
    ],
)
def test_a_statement_that_cannot_be_made_is_one_line_and_exit_2(run, arguments, complaint):
    code, out, err = run("tax", *arguments)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_a_statement_before_anything_has_run_says_so_and_is_exit_1(run):
    code, out, err = run("tax", "--fy", "2025-26")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "nothing has run yet" in err


def test_a_workbook_without_its_library_names_the_extra(run, database, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    arguments = [
        "tax",
        "--fy",
        "2025-26",
        "--database",
        database,
        "--format",
        "xlsx",
        "--out",
        tmp_path / "tax.xlsx",
    ]
    code, _, err = run(*arguments)
    assert code == 2
    assert "patang[xlsx]" in err
    assert not (tmp_path / "tax.xlsx").exists()


class Recorder:
    """Stands in for openpyxl: takes sheets and rows, and writes them as text."""

    def __init__(self, *, write_only):
        assert write_only
        self.pages = {}

    def create_sheet(self, title):
        self.pages[title] = []
        return self.pages[title]

    def save(self, path):
        path.write_text(json.dumps(self.pages, default=str))


class Text(str):
    """Stands in for a cell that holds a text."""

    __slots__ = ("data_type",)

    def __new__(cls, _page, value):
        return str.__new__(cls, value)


def test_every_view_is_handed_to_the_workbook(run, database, tmp_path, monkeypatch):
    cell = SimpleNamespace(WriteOnlyCell=Text)
    monkeypatch.setitem(sys.modules, "openpyxl", SimpleNamespace(Workbook=Recorder, cell=cell))
    file = tmp_path / "tax.xlsx"
    code, out, err = run(
        "tax", "--fy", "2025-26", "--database", database, "--format", "xlsx", "--out", file
    )
    assert (code, out, err) == (0, "", "")
    pages = json.loads(file.read_text())
    assert list(pages) == ["trades", "summary", "open", "account"]
    assert pages["trades"][0][:3] == ["section", "exchange", "symbol"]
    assert pages["trades"][1][:5] == ["delivery", "NSE", "INFY", "long", 4]


def test_a_workbook_holds_one_sheet_per_view(run, database, tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="the xlsx extra is not installed")
    file = tmp_path / "tax.xlsx"
    code, _, err = run(
        "tax", "--fy", "2025-26", "--database", database, "--format", "xlsx", "--out", file
    )
    assert code == 0, err
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["trades", "summary", "open", "account"]
    assert [cell.value for cell in book["trades"][2]][:5] == ["delivery", "NSE", "INFY", "long", 4]


def test_a_workbook_that_cannot_be_written_is_an_operator_error(tmp_path):
    pytest.importorskip("openpyxl", reason="the xlsx extra is not installed")
    with pytest.raises(OperatorError, match="cannot write"):
        write_workbook(
            tmp_path / "absent" / "tax.xlsx", [SpreadsheetTable("a", ("b",), [(date(2025, 1, 1),)])]
        )


def test_a_dump_is_kept_and_looked_into(run, answer, tmp_path):
    dump = tmp_path / "instruments.csv"
    dump.write_text(DUMP)
    code, out, _ = run("instruments", "keep", dump, "--date", "2026-08-18")
    assert code == 0
    assert [line.rsplit("/", 2)[1] for line in out.split()] == ["NFO", "NSE"]
    (share,) = answer("instruments", "find", "408065", "--date", "2026-08-19")
    assert (share["symbol"], share["tick"]) == ("INFY", 0.1)
    assert len(answer("instruments", "find", "infosys", "--date", "2026-08-19")) == 1
    (only,) = answer("instruments", "find", "INFY", "--exchange", "NSE", "--date", "2026-08-19")
    assert only["kind"] == "EQ"
    assert answer("instruments", "find", "INFY", "--exchange", "nse", "--date", "2026-08-19") == [
        only
    ]
    assert run("instruments", "find", "408065", "--exchange", "NFO", "--date", "2026-08-19")[0] == 2
    (call_,) = answer(
        "instruments",
        "find",
        "infy",
        "--expiry",
        "2026-08-25",
        "--strike",
        "1500",
        "--kind",
        "CE",
        "--date",
        "2026-08-19",
    )
    assert call_["token"] == 12
    told = run(
        "instruments", "find", "INFY", "--kind", "PE", "--strike", "1500", "--date", "2026-08-19"
    )
    assert told == (2, "", "patang: the dump of 2026-08-18 lists nothing like INFY PE 1500.0\n")
    assert answer("instruments", "chain", "INFY", "--date", "2026-08-18") == [
        {"strike": 1500.0, "call": "INFY26AUG1500CE", "put": ""}
    ]
    assert answer("instruments", "expiries", "INFY", "--date", "2026-08-18") == [
        {"expiry": "2026-08-25", "monthly": True}
    ]


def test_expiries_by_rule_need_no_dump(answer):
    told = answer("instruments", "expiries", "NIFTY", "--by-rule", "--date", "2026-12-01")
    assert [row["expiry"][-2:] for row in told] == ["01", "08", "15", "22", "29"]
    assert [row["monthly"] for row in told] == [False] * 4 + [True]


def test_two_days_are_compared(run, answer, tmp_path):
    dump = tmp_path / "instruments.csv"
    dump.write_text(DUMP)
    run("instruments", "keep", dump, "--date", "2026-08-18")
    dump.write_text(
        DUMP.replace("12,2,INFY26AUG1500CE", "12,2,INFY26SEP1500CE").replace("0.1,400", "0.1,500")
    )
    run("instruments", "keep", dump, "--date", "2026-08-26")
    told = answer("instruments", "changes", "2026-08-18", "2026-08-26")
    assert [(row["what"], row["symbol"], row["reused"]) for row in told] == [
        ("gone", "INFY26AUG1500CE", False),
        ("lot", "INFY26AUGFUT", False),
        ("listed", "INFY26SEP1500CE", True),
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["find", "INFY"], "there is none"),
        (["keep", "absent.csv"], "absent.csv"),
        (["expiries", "NIFTI", "--by-rule", "--date", "2019-01-01"], "expiry day of NIFTI"),
    ],
)
def test_an_instrument_command_that_fails_is_one_line_and_exit_2(run, arguments, complaint):
    code, out, err = run("instruments", *arguments)
    assert (code, out) == (2, "")
    assert complaint in err


@pytest.mark.real_data
def test_corporate_actions_are_listed_by_share_and_by_day(answer, market_data):
    file = market_data / "corporate_actions" / "nse_corporate_actions_2019_2026H1.parquet"
    told = answer("instruments", "actions", file, "HDFCBANK")
    assert {
        "symbol": "HDFCBANK",
        "ex": "2025-08-26",
        "kind": "bonus",
        "ratio": 2.0,
        "amount": 0.0,
        "text": "Bonus 1:1",
    } in told
    assert "HDFCBANK" in {
        row["symbol"] for row in answer("instruments", "actions", file, "--date", "2025-08-26")
    }


ROOT = Path(__file__).resolve().parents[3]
MANUALS = ("calendar", "charges", "corporate_actions", "instruments", "tax")
DOCUMENTED = [
    line.split("#")[0].split(">")[0].strip()
    for name in MANUALS
    for line in (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("patang ")
]


@pytest.mark.parametrize("line", DOCUMENTED)
def test_every_command_of_the_manuals_is_one(line):
    command, _, ignored = app.parse_args(
        shlex.split(line)[1:], exit_on_error=False, print_error=False
    )
    assert callable(command)
    assert command.__module__.startswith("tui.")
    assert not ignored


def test_the_manuals_show_every_command():
    assert {line.split()[1] for line in DOCUMENTED} == {
        "calendar",
        "charges",
        "export",
        "instruments",
        "tax",
    }
    shown = {line.split()[2] for line in DOCUMENTED if line.startswith("patang instruments")}
    assert shown == {
        "keep",
        "find",
        "chain",
        "expiries",
        "changes",
        "actions",
        "terms",
        "days",
        "share",
    }
