"""Instruments of a day: search, changes from day to day, a real dump of August 2026."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.market.instrument_dumps import (
    DumpFolder,
    ban_list,
    content_of,
    listings_of,
    surveillance_list,
)
from engine.market.instruments import InstrumentList, InstrumentListing, ListingChange, read_dump

DAY = date(2026, 8, 18)
HEAD = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n"
)
ROWS = (
    "408065,1594,INFY,INFOSYS,0.0,,0.0,0.1,1,EQ,NSE,NSE\n"
    "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE\n"
    '900,3,WITH,"A NAME, WITH A COMMA",0.0,,0.0,0.05,1,EQ,NSE,NSE\n'
    "11,1,INFY26AUGFUT,INFY,0.0,2026-08-25,0.0,0.1,400,FUT,NFO-FUT,NFO\n"
    "12,2,INFY26AUG1500CE,INFY,0.0,2026-08-25,1500.0,0.05,400,CE,NFO-OPT,NFO\n"
    "13,3,INFY26AUG1500PE,INFY,0.0,2026-08-25,1500.0,0.05,400,PE,NFO-OPT,NFO\n"
    "14,4,INFY26AUG1520CE,INFY,0.0,2026-08-25,1520.0,0.05,400,CE,NFO-OPT,NFO\n"
    "15,5,INFY26SEP1500CE,INFY,0.0,2026-09-29,1500.0,0.05,400,CE,NFO-OPT,NFO\n"
    "16,6,NIFTY26AUGFUT,NIFTY,0.0,2026-08-25,0.0,0.1,65,FUT,NFO-FUT,NFO\n"
)


def book(rows=ROWS, day=DAY, **more):
    return InstrumentList(day, read_dump(HEAD + rows, "dump"), **more)


def symbols(listings):
    return [each.symbol for each in listings]


def test_an_instrument_is_found_by_its_symbol_and_by_its_token():
    share = book().get("NSE", "INFY")
    assert (share.token, share.kind, share.tick, share.lot) == (408065, "EQ", 0.1, 1)
    assert book().by_token(408065) == share
    assert book().by_token(1) is None
    assert book().find("BSE", "INFY") is None


def test_a_symbol_that_is_not_listed_is_refused_with_the_nearest_one():
    with pytest.raises(DataError, match="NSE lists no INFI on 2026-08-18; the nearest is INFY"):
        book().get("NSE", "INFI")


def test_an_index_gets_a_grid_of_its_own():
    index = book().get("NSE", "NIFTY 50")
    assert (index.kind, index.tick, index.lot) == ("INDEX", 0.01, 1)
    assert index.instrument().snap(25012.3456) == 25012.35


def test_contracts_are_found_by_underlying_expiry_strike_and_kind():
    august = date(2026, 8, 25)
    assert symbols(book().derivatives("INFY", "FUT")) == ["INFY26AUGFUT"]
    assert symbols(book().derivatives("INFY", "CE")) == [
        "INFY26AUG1500CE",
        "INFY26AUG1520CE",
        "INFY26SEP1500CE",
    ]
    assert symbols(book().derivatives("INFY", expiry=august, strike=1500.0)) == [
        "INFY26AUG1500CE",
        "INFY26AUG1500PE",
    ]
    assert book().derivatives("WITH") == []
    assert book().has_derivatives("INFY")
    assert not book().has_derivatives("WITH")


def test_an_option_chain_pairs_calls_and_puts_by_strike():
    first, second = book().chain("INFY", date(2026, 8, 25))
    assert (first.price, first.call.symbol, first.put.symbol) == (
        1500.0,
        "INFY26AUG1500CE",
        "INFY26AUG1500PE",
    )
    assert (second.price, second.put) == (1520.0, None)


def test_the_nearest_expiry_is_on_the_day_or_after():
    days = book()
    assert days.expiries("INFY") == [date(2026, 8, 25), date(2026, 9, 29)]
    assert days.nearest_expiry("INFY") == date(2026, 8, 25)
    assert days.nearest_expiry("INFY", on=date(2026, 8, 25)) == date(2026, 8, 25)
    assert days.nearest_expiry("INFY", on=date(2026, 8, 26)) == date(2026, 9, 29)
    with pytest.raises(DataError, match="no FUT on INFY expires on 2026-08-26"):
        days.nearest_expiry("INFY", "FUT", date(2026, 8, 26))


def test_a_contract_leads_to_its_share_or_index():
    assert book().underlying(book().get("NFO", "INFY26AUGFUT")).symbol == "INFY"
    assert book().underlying(book().get("NFO", "NIFTY26AUGFUT")).symbol == "NIFTY 50"


def test_a_search_finds_symbols_before_names_and_shares_before_contracts():
    assert symbols(book().search("infy"))[0] == "INFY"
    assert symbols(book().search("comma")) == ["WITH"]


def test_a_token_that_a_new_contract_took_over_is_told_from_the_old_one():
    later = book(
        ROWS.replace("11,1,INFY26AUGFUT", "77,1,INFY26AUGFUT")
        + ("11,1,INFY26OCTFUT,INFY,0.0,2026-10-27,0.0,0.1,400,FUT,NFO-FUT,NFO\n"),
        date(2026, 8, 26),
    )
    then, now = later.reused_tokens(book())[11]
    assert (then.symbol, now.symbol) == ("INFY26AUGFUT", "INFY26OCTFUT")
    assert later.changes_since(book()) == [
        ListingChange("token", "NFO", "INFY26AUGFUT", 11, 77),
        ListingChange("listed", "NFO", "INFY26OCTFUT", 0, 0),
    ]
    assert later.find("NFO", "INFY26AUGFUT").token == 77


def test_changes_of_tick_and_lot_and_what_is_gone_are_told():
    later = book(
        ROWS.replace("0.1,400,FUT", "0.5,425,FUT").replace(ROWS.splitlines()[2] + "\n", "")
    )
    assert later.changes_since(book()) == [
        ListingChange("tick", "NFO", "INFY26AUGFUT", 0.1, 0.5),
        ListingChange("lot", "NFO", "INFY26AUGFUT", 400, 425),
        ListingChange("gone", "NSE", "WITH", 0, 0),
    ]


def test_an_exchange_that_only_one_day_has_is_no_change():
    only = InstrumentList(DAY, [each for each in book() if each.exchange == "NSE"])
    assert book().changes_since(only) == []


def test_two_instruments_that_share_a_token_or_a_symbol_are_refused():
    with pytest.raises(DataError, match=r"NSE:OTHER \(token 408065\) and NSE:INFY"):
        book(ROWS + "408065,1,OTHER,X,0,,0,0.05,1,EQ,NSE,NSE\n")
    with pytest.raises(DataError, match="exclude each other"):
        book(ROWS + "5,1,INFY,X,0,,0,0.05,1,EQ,NSE,NSE\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2\n", "no instrument dump, it lacks instrument_token"),
        (HEAD, "lists nothing"),
        (HEAD + "x,1,A,A,0,,0,0.05,1,EQ,NSE,NSE\n", "line 2"),
        (HEAD + "1,1,A,A,0,2026-13-01,0,0.05,1,FUT,NFO-FUT,NFO\n", "line 2"),
        (HEAD + "1,1,A\n", "line 2"),
    ],
)
def test_a_dump_that_cannot_be_read_is_refused_with_the_reason(text, complaint):
    with pytest.raises(DataError, match=complaint):
        read_dump(text, "dump")


def test_a_ban_stops_the_contracts_of_a_share_and_a_surveillance_measure_the_share_too():
    banned = book(restrictions={"INFY": ("F&O ban", "ASM stage 1")})
    assert banned.held_against(banned.get("NFO", "INFY26AUGFUT")) == ("F&O ban", "ASM stage 1")
    assert banned.held_against(banned.get("NSE", "INFY")) == ("ASM stage 1",)
    assert banned.held_against(banned.get("NFO", "NIFTY26AUGFUT")) == ()


def test_a_ban_list_is_taken_for_its_own_day_only():
    text = "Securities in Ban For Trade Date 18-AUG-2026:\n1,RBLBANK\n2,SAIL\n"
    assert ban_list(text, DAY, "ban") == {"RBLBANK", "SAIL"}
    assert ban_list("Securities in Ban For Trade Date 18-AUG-2026: NIL\n", DAY, "ban") == set()
    with pytest.raises(DataError, match="of 2026-08-18, not of 2026-08-19"):
        ban_list(text, date(2026, 8, 19), "ban")
    with pytest.raises(DataError, match="no date"):
        ban_list("", DAY, "ban")


def test_a_surveillance_list_needs_its_columns():
    assert surveillance_list("symbol,measure\nX,ASM\n", "list") == [("X", "ASM")]
    with pytest.raises(DataError, match="symbol and measure"):
        surveillance_list("a,b\n", "list")


@pytest.mark.parametrize(
    "exchange",
    [
        "../../out",
        "..",
        ".",
        "",
        "/tmp/out",
        "NSE/../../out",
        "nse",
        "N S E",
        "NSE\x00",
        "=cmd|",
        "X" * 200,
        "lists",
    ],
)
def test_an_exchange_that_is_none_writes_nothing_anywhere(tmp_path, exchange):
    home = tmp_path / "deep" / "folder"
    home.mkdir(parents=True)
    text = HEAD + ROWS.splitlines()[0].rsplit(",", 1)[0] + f",{exchange}\n"
    with pytest.raises(DataError, match=r"line 2: .*(no exchange|NUL)"):
        DumpFolder(home).keep(DAY, text.encode())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(monkeypatch, tmp_path):
    bomb = gzip.compress(bytes(80 << 20), 1)
    assert len(bomb) < 1 << 20
    for content in (bomb, gzip.compress(b"") + bomb, bytes(80 << 20)):
        with pytest.raises(DataError, match="more than 64 MB"):
            DumpFolder(tmp_path).keep(DAY, content)
    assert len(content_of(Path("/dev/zero"))) == (64 << 20) + 1
    with pytest.raises(DataError, match="field larger"):
        DumpFolder(tmp_path).keep(DAY, (HEAD + "x" * 200_000).encode())


def test_a_kept_dump_comes_back_by_day_and_exchange(tmp_path):
    dumps = DumpFolder(tmp_path)
    kept = dumps.keep(DAY, gzip.compress((HEAD + ROWS).encode()))
    assert [version.path.parent.name for version in kept] == ["NFO", "NSE"]
    again = dumps.load(DAY)
    assert {(e.exchange, e.symbol): e for e in again} == {(e.exchange, e.symbol): e for e in book()}
    assert len(dumps.load(DAY, ["NSE"])) == 3


def test_the_same_dump_is_stored_once_and_another_one_of_the_day_beside_it(tmp_path):
    dumps = DumpFolder(tmp_path)
    first = dumps.keep(DAY, (HEAD + ROWS).encode())
    assert dumps.keep(DAY, (HEAD + ROWS).encode()) == first
    dumps.keep(DAY, (HEAD + ROWS.replace(",INFOSYS,", ",INFOSYS LTD,")).encode())
    assert [version.path.name for version in dumps.versions("NSE")] == [
        "2026-08-18.csv.gz",
        "2026-08-18.2.csv.gz",
    ]
    assert [version.path.name for version in dumps.versions("NFO")] == ["2026-08-18.csv.gz"]
    assert dumps.load(DAY).get("NSE", "INFY").name == "INFOSYS LTD"


def test_the_latest_dump_on_or_before_a_day_serves_it(tmp_path):
    dumps = DumpFolder(tmp_path)
    dumps.keep(DAY, (HEAD + ROWS).encode())
    dumps.keep(date(2026, 8, 20), (HEAD + ROWS).encode())
    assert dumps.latest(date(2026, 8, 19)).day == DAY
    assert dumps.latest(date(2026, 9, 1), ["NSE"]).day == date(2026, 8, 20)
    with pytest.raises(DataError, match="NFO from 2026-08-18 to 2026-08-20"):
        dumps.latest(date(2026, 8, 17), ["NFO"])
    with pytest.raises(DataError, match="there is none"):
        dumps.load(DAY, ["MCX"])


def test_a_dump_that_lost_half_its_rows_is_refused_and_changes_nothing(tmp_path):
    dumps = DumpFolder(tmp_path)
    dumps.keep(DAY, (HEAD + ROWS).encode())
    short = HEAD + "\n".join(ROWS.splitlines()[:1]) + "\n"
    with pytest.raises(DataError, match="1 instruments of NSE, fewer than half"):
        dumps.keep(date(2026, 8, 19), short.encode())
    assert len(dumps.versions("NSE")) == 1


def test_a_broken_download_is_refused(tmp_path):
    with pytest.raises(DataError, match="dump of 2026-08-18"):
        DumpFolder(tmp_path).keep(DAY, gzip.compress((HEAD + ROWS).encode())[:60])


def test_the_lists_of_the_day_come_with_its_dump(tmp_path):
    dumps = DumpFolder(tmp_path)
    dumps.keep(DAY, (HEAD + ROWS).encode())
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "2026-08-18-ban.csv").write_text(
        "Securities in Ban For Trade Date 18-AUG-2026:\n1,INFY\n"
    )
    (tmp_path / "lists" / "2026-08-18-surveillance.csv").write_text("symbol,measure\nINFY,ESM\n")
    listed = dumps.load(DAY)
    assert listed.held_against(listed.get("NFO", "INFY26AUGFUT")) == ("F&O ban", "ESM")


def test_dumps_of_two_days_are_no_one_list():
    with pytest.raises(DataError, match="2026-08-18, 2026-08-19"):
        InstrumentList.union([book(), book(day=date(2026, 8, 19))])


@pytest.fixture(scope="module")
def dump(market_data):
    return InstrumentList(
        DAY, listings_of(market_data / "instruments" / "kite_combined_NSE_NFO_BFO_2026-08.csv.gz")
    )


@pytest.mark.real_data
def test_a_real_dump_is_read_whole(dump):
    assert len(dump) == 49_926
    assert sum(each.kind == "INDEX" for each in dump) == 136
    share = dump.get("NSE", "CANBK")
    assert share == InstrumentListing(2763265, "NSE", "CANBK", "CANARA BANK", "EQ", 0.01, 1)
    assert dump.by_token(2763265) == share


@pytest.mark.real_data
def test_every_contract_of_a_real_dump_leads_to_what_it_is_on_or_says_that_it_does_not_know(dump):
    names = {each.name: each for each in dump if each.kind == "FUT"}
    lost = {name for name, each in names.items() if dump.underlying(each) is None}
    assert len(names) == 218
    assert lost == {"SENSEX", "BANKEX", "SENSEX50", "FOCIT", "NIFTYFPI"}


@pytest.mark.real_data
def test_the_expiries_of_a_real_dump_are_those_of_august_2026(dump):
    monthly = [date(2026, 8, 25), date(2026, 9, 29), date(2026, 10, 27)]
    assert dump.expiries("BANKNIFTY", "FUT") == monthly
    weekly = [
        date(2026, 8, 18),
        *monthly[:1],
        date(2026, 9, 1),
        date(2026, 9, 8),
        date(2026, 9, 15),
        monthly[1],
    ]
    assert dump.expiries("NIFTY", "CE")[:6] == weekly
    assert dump.monthly_expiries("NIFTY", "CE")[:3] == monthly
    assert dump.nearest_expiry("NIFTY", "CE") == DAY
    assert len(dump.chain("NIFTY", monthly[0])) > 100
