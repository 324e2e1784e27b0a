"""The calendar's command at a small server that speaks Upstox's three routes."""

import json
import threading
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

import pytest

from tests.engine.market.test_market_commands import answer, at_home, run  # noqa: F401  fixtures
from tui.commands.market import calendar_commands
from tui.run import settings

IST = ZoneInfo("Asia/Kolkata")
TOKEN = "eyJ0eXAi.Analytics.token"
HOURS = {
    "NSE": ("09:15", "15:30"),
    "BSE": ("09:15", "15:30"),
    "NFO": ("09:15", "15:40"),
    "BFO": ("09:15", "15:40"),
    "CDS": ("09:00", "17:00"),
    "BCD": ("09:00", "17:00"),
    "MCX": ("09:00", "23:55"),
}
CHRISTMAS = {
    "date": "2026-12-25",
    "description": "Christmas",
    "holiday_type": "TRADING_HOLIDAY",
    "closed_exchanges": list(HOURS),
    "open_exchanges": [],
}


def milliseconds(day, time):
    return int(datetime.fromisoformat(f"{day} {time}").replace(tzinfo=IST).timestamp()) * 1_000


class Upstox(ThreadingHTTPServer):
    """Answers as Upstox does; `changes` move the close of an exchange from a day on."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.changes, self.holidays, self.closed = {}, [CHRISTMAS], set()
        self.asked, self.refuses, self.body = [], 0, None
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def timings(self, day):
        if date.fromisoformat(day).weekday() > 4 or day in self.closed:
            return []
        rows = []
        for name, (start, end) in HOURS.items():
            since, moved = self.changes.get(name, ("9999", ""))
            closes = moved if day >= since else end
            rows.append(
                {
                    "exchange": name,
                    "start_time": milliseconds(day, start),
                    "end_time": milliseconds(day, closes),
                }
            )
        return rows


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        upstox = self.server
        upstox.asked.append((self.path, self.headers["Authorization"]))
        _, _, market, what, *rest = self.path.split("/")
        assert market == "market"
        data = {
            "timings": lambda: upstox.timings(rest[0]),
            "holidays": lambda: upstox.holidays,
            "status": lambda: {
                "exchange": rest[0],
                "status": "NORMAL_CLOSE",
                "last_updated": 1,
                "cas_eligible_status": {"a": 1},
            },
        }[what]()
        body = upstox.body or json.dumps({"status": "success", "data": data}).encode()
        self.send_response(upstox.refuses or 200)
        if upstox.refuses == 302:
            self.send_header("Location", "/v2/market/status/NSE")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def upstox(tmp_path, monkeypatch, run):  # noqa: F811
    """Serve Upstox's protocol to a desk whose vault has a token for it."""
    monkeypatch.setenv("PATANG_PASSPHRASE", "the right words")
    monkeypatch.setenv("UPSTOX_ANALYTICS_TOKEN", TOKEN)
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    served = Upstox()
    (tmp_path / "config.toml").write_text(
        f'[market]\nupstox = "http://127.0.0.1:{served.server_port}"\n'
    )
    assert run("calendar", "--keep-token")[0] == 0
    monkeypatch.delenv("UPSTOX_ANALYTICS_TOKEN")
    yield served
    served.shutdown()
    served.server_close()


def lines(out, kind):
    return [line[len(kind) :].strip() for line in out.splitlines() if line.startswith(kind)]


def test_a_source_that_has_loaded_the_new_hours_speaks_for_them(upstox, run):  # noqa: F811
    upstox.changes = {"NFO": ("2026-12-07", "15:45"), "BFO": ("2026-12-07", "15:45")}
    code, out, _ = run("calendar", "--check", "--date", "2026-12-04")
    assert code == 0
    assert lines(out, "DIFFERS") == []
    agrees = lines(out, "agrees")
    assert agrees[0] == (
        "2026-12-04  NSE, BSE 09:15-15:30; NFO, BFO 09:15-15:40; CDS, BCD 09:00-17:00; MCX "
        "09:00-23:55"
    )
    assert "2026-12-05  NSE, BSE, NFO, BFO, CDS, BCD, MCX closed" in agrees
    assert (
        "2026-12-07  NFO: 09:15-15:45, as the new hours from 2026-12-07 on, which are not confirmed"
        in agrees
    )
    assert "2026-12-25  Christmas (trading holiday)" in agrees


def test_a_source_that_keeps_the_old_hours_is_told_day_by_day(upstox, run):  # noqa: F811
    code, out, _ = run("calendar", "--check", "--date", "2026-12-04")
    assert code == 1
    told = lines(out, "DIFFERS")
    assert (
        told[0] == "2026-12-07  NFO: Upstox 09:15-15:40, as before; ours 09:15-15:45, not confirmed"
    )
    assert len(told) == 2 * 9  # NFO and BFO on the nine trading days from 7 to 17 December


def test_hours_and_holidays_that_nobody_has_told_us_differ(upstox, run):  # noqa: F811
    upstox.changes = {"MCX": ("2026-12-01", "23:30")}
    upstox.closed = {"2026-12-02"}
    upstox.holidays = [
        {
            "date": "2026-12-02",
            "description": "Elections",
            "holiday_type": "TRADING_HOLIDAY",
            "closed_exchanges": ["NSE", "BSE"],
            "open_exchanges": [],
        },
        {
            "date": "2026-12-03",
            "description": "Banks",
            "holiday_type": "SETTLEMENT_HOLIDAY",
            "closed_exchanges": [],
            "open_exchanges": [],
        },
        {
            "date": "2026-12-30",
            "description": "Later",
            "holiday_type": "SPECIAL_TIMING",
            "closed_exchanges": [],
            "open_exchanges": [
                {
                    "exchange": "MCX",
                    "start_time": milliseconds("2026-12-30", "17:00"),
                    "end_time": milliseconds("2026-12-30", "23:55"),
                }
            ],
        },
        {
            "date": "2027-01-26",
            "description": "Republic Day",
            "holiday_type": "TRADING_HOLIDAY",
            "closed_exchanges": ["NSE"],
            "open_exchanges": [],
        },
    ]
    code, out, _ = run("calendar", "--check", "--date", "2026-11-30")
    assert code == 1
    told = lines(out, "DIFFERS")
    assert "2026-12-01  MCX: ours 09:00-23:55, Upstox 09:00-23:30" in told
    assert "2026-12-02  NSE: ours 09:15-15:30, Upstox closed" in told
    assert (
        "2026-12-02  Elections (trading holiday): NSE, BSE closed, ours trades or is not known"
        in told
    )
    assert "2026-12-03  Banks (settlement holiday): ours settles" in told
    assert "2026-12-30  MCX: ours 09:00-23:55, Upstox 17:00-23:55" in told
    assert "2026-12-25  a holiday of ours that Upstox does not list" in told
    assert (
        "2027-01-26  Republic Day (trading holiday): NSE closed, ours trades or is not known"
        in told
    )


def test_today_the_state_of_the_market_is_asked_for_too(upstox, run, monkeypatch):  # noqa: F811
    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 12, 7, 12, 0, tzinfo=tz)

    monkeypatch.setattr(calendar_commands, "datetime", Noon)
    monkeypatch.setattr("tui.commands.shared.typed_values.datetime", Noon)
    code, out, _ = run("calendar", "--check")
    assert code == 1
    assert (
        '2026-12-07 12:00  NSE NORMAL_CLOSE, ours continuous; stocks that close by auction: {"a": '
        "1}" in lines(out, "DIFFERS")
    )


def test_the_token_travels_in_one_header_and_is_told_nowhere(upstox, run, tmp_path):  # noqa: F811
    upstox.refuses = 401
    code, out, err = run("calendar", "--check", "--date", "2026-12-04", "--json")
    assert (code, out) == (2, "")
    assert "Upstox refuses the Analytics token (401)" in err
    assert {head for _, head in upstox.asked} == {f"Bearer {TOKEN}"}
    assert upstox.asked[0][0] == "/v2/market/timings/2026-12-04"
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert not any(TOKEN.encode() in file.read_bytes() for file in kept)
    assert TOKEN not in out + err


@pytest.mark.parametrize(
    ("refuses", "body", "told"),
    [
        (302, None, "Upstox answers 302"),
        (500, b"oops", "Upstox answers 500"),
        (0, b"<html>", "an answer of another shape"),
        (0, b'{"status": "error", "errors": []}', "an answer of another shape"),
        (0, b'{"status": "success", "data": [{"exchange": 7}]}', "an answer of another shape"),
        (0, b"[]", "an answer of another shape"),
    ],
)
def test_an_answer_that_is_none_is_one_line_and_no_redirect_is_followed(
    upstox,
    run,  # noqa: F811
    refuses,
    body,
    told,
):
    upstox.refuses, upstox.body = refuses, body
    code, out, err = run("calendar", "--check", "--date", "2026-12-04")
    assert (code, out) == (3, "")
    assert told in err
    assert err.count("\n") == 1
    assert len(upstox.asked) == 1


def test_without_a_token_it_says_what_it_would_do(upstox, run):  # noqa: F811
    assert run("calendar", "--forget-token")[0] == 0
    code, out, _ = run("calendar", "--check", "--date", "2026-12-04")
    assert code == 1
    assert out.startswith("no Analytics token of Upstox is kept, so nothing was compared.")
    assert "GET /v2/market/timings/DATE     2026-12-04 to 2026-12-17" in out
    assert "patang calendar --keep-token" in out
    assert upstox.asked == []


def test_an_address_that_would_show_the_token_is_refused(run, tmp_path):  # noqa: F811
    (tmp_path / "config.toml").write_text('[market]\nupstox = "http://example.com"\n')
    code, _, err = run("calendar", "--check")
    assert code == 2
    assert "config.toml:2: market.upstox: the token would travel in the clear" in err


# what it tells of a day


def test_an_unconfirmed_day_is_told_with_what_it_would_be(answer):  # noqa: F811
    facts = answer("calendar", "--date", "2026-12-07", "--cas")
    assert (facts["open"], facts["close"], facts["square_off"]) == ("09:15", "15:15", "15:12")
    assert (facts["desk_last_entry"], facts["desk_leaves_intraday"]) == ("15:13", "15:10")
    assert {"name": "unconfirmed", "start": "15:15", "end": "15:45"} in facts["phases"]
    assert {"name": "auction entry", "start": "15:31", "end": "15:36"} in facts["when_confirmed"]
    assert facts["remarks"][0].startswith(
        "new hours from 2026-12-07 on (NSE, BSE, NFO, BFO) are not confirmed"
    )
    assert facts["remarks"][1].startswith("no holiday list of NSE")


def test_a_confirmed_day_is_told_in_full_and_without_a_doubt(answer, tmp_path):  # noqa: F811
    (tmp_path / "config.toml").write_text('[market]\nconfirmed = ["2026-12-07"]\n')
    facts = answer(
        "calendar", "--date", "2026-12-08", "--exchange", "NFO", "--kind", "CE", "--expiring"
    )
    assert facts["close"] == "15:30"
    assert "when_confirmed" not in facts
    assert len(facts["remarks"]) == 1
    later = answer("calendar", "--date", "2026-12-08", "--exchange", "NFO", "--kind", "CE")
    assert later["close"] == "15:45"


def test_a_day_tells_what_the_desk_does_in_stocks_that_close_by_auction_and_in_others(answer):  # noqa: F811
    facts = answer("calendar", "--date", "2026-11-27")
    times = ("close", "square_off", "desk_last_entry", "desk_leaves_intraday")
    assert [facts[name] for name in times] == ["15:30", "15:25", "15:30", "15:23"]
    assert [facts["stocks_with_derivatives"][name] for name in times] == [
        "15:15",
        "15:12",
        "15:15",
        "15:10",
    ]
    assert "stocks_with_derivatives" not in answer("calendar", "--date", "2026-07-31")


def test_an_index_contract_whose_last_hours_are_not_confirmed_is_left_whatever_its_product(answer):  # noqa: F811
    facts = answer(
        "calendar", "--date", "2026-12-08", "--exchange", "NFO", "--kind", "CE", "--expiring"
    )
    assert (facts["desk_last_entry"], facts["desk_leaves_all"]) == ("15:24", "15:24")


def test_a_day_that_trades_and_does_not_settle_is_told(answer):  # noqa: F811
    facts = answer("calendar", "--date", "2026-08-25")
    assert (facts["settlement_day"], facts["settles_on"]) == (True, "2026-08-27")
    assert answer("calendar", "--date", "2026-08-26")["settlement_day"] is False
    assert answer("calendar", "--date", "2024-08-26")["settles_on"] is None


def test_an_exchange_of_our_own_plays_the_last_known_day_where_a_list_is_missing(monkeypatch):
    class January(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2027, 1, 4, 12, 0, tzinfo=tz)

    monkeypatch.setattr(settings, "datetime", January)
    assert settings.latest_day() == "2026-12-31"


def test_the_first_day_without_a_list_is_one_line_that_names_the_file(run):  # noqa: F811
    code, out, err = run("calendar", "--date", "2027-01-01")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "no holiday list of NSE for 2027: add one to" in err
