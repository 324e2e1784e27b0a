"""Tax and account statements against examples worked out by hand; amounts in paise."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.values import Side
from engine.errors import ConfigError, DataError
from engine.market import charges
from engine.market.accounts.account_statement import account_postings
from engine.market.accounts.deals import AccountDeal, charged_deals, deals_of, proportional_shares
from engine.market.accounts.lot_matching import match_lots
from engine.market.accounts.tax_report import (
    FinancialYear,
    GainsBucket,
    TaxRules,
    financial_year,
    year_of,
)
from engine.market.corporate_actions.action_list import CorporateActions, parsed_actions

TABLE = charges.load_rate_table()
RULES = TaxRules.load()
BUY, SELL = Side.BUY, Side.SELL


def deal(
    day,
    side,
    quantity,
    price,
    symbol="X",
    segment="EQ_DELIVERY",
    charged=0,
    stt=0,
    exchange="NSE",
    order="",
    ts=0,
):
    when = date.fromisoformat(day)
    return AccountDeal(
        when,
        ts,
        exchange,
        symbol,
        segment,
        side,
        quantity,
        round(quantity * price * 100),
        charged,
        stt,
        order or f"{day} {side.name} {quantity}",
    )


def option(day, side, quantity, price, **more):
    return deal(day, side, quantity, price, "NIFTY26AUG24000CE", "OPT", exchange="NFO", **more)


def actions(*rows):
    return CorporateActions(
        each
        for symbol, ex, text in rows
        for each in parsed_actions(symbol, date.fromisoformat(ex), text)
    )


def report(deals, fy="2025-26", book=None):
    year = financial_year(fy)
    return RULES.report(match_lots(deals, book, year.last), year)


def test_the_oldest_shares_are_sold_first():
    deals = [
        deal("2025-05-02", BUY, 100, 100.0),
        deal("2025-06-02", BUY, 100, 120.0),
        deal("2025-07-01", SELL, 150, 130.0),
    ]
    matched = match_lots(deals)
    assert [(line.quantity, line.opened, line.cost, line.proceeds) for line in matched.lines] == [
        (100, date(2025, 5, 2), 10_000_00, 13_000_00),
        (50, date(2025, 6, 2), 6_000_00, 6_500_00),
    ]
    (left,) = matched.open
    assert (left.quantity, left.value) == (50, 6_000_00)


def test_shares_bought_at_two_exchanges_are_one_holding():
    matched = match_lots(
        [deal("2025-05-02", BUY, 10, 100.0, exchange="BSE"), deal("2025-05-05", SELL, 10, 101.0)]
    )
    assert [(line.section, line.exchange) for line in matched.lines] == [("delivery", "NSE")]
    assert not matched.open
    assert not matched.unmatched


def test_what_is_bought_and_sold_on_one_day_is_intraday_and_the_rest_delivery():
    deals = [
        deal("2025-05-02", BUY, 100, 90.0),
        deal("2025-05-05", SELL, 150, 100.0, ts=1),
        deal("2025-05-05", BUY, 60, 98.0, ts=2),
    ]
    matched = match_lots(deals)
    assert [
        (line.section, line.direction, line.quantity, line.cost, line.proceeds)
        for line in matched.lines
    ] == [
        ("intraday", "short", 60, 5_880_00, 6_000_00),
        ("delivery", "long", 90, 8_100_00, 9_000_00),
    ]
    assert [lot.quantity for lot in matched.open] == [10]


def test_a_sale_without_a_purchase_on_record_is_told_and_no_gain():
    found = report([deal("2025-05-02", SELL, 40, 100.0), deal("2025-05-05", BUY, 40, 90.0)])
    assert found.unmatched == 40
    assert found.entries == []


@pytest.mark.parametrize(
    ("bought", "sold", "term", "percent"),
    [
        ("2023-07-20", "2024-07-20", "short", 15.0),
        ("2023-07-20", "2024-07-21", "long", 10.0),
        ("2023-07-21", "2024-07-22", "long", 10.0),
        ("2023-07-21", "2024-07-23", "long", 12.5),
        ("2024-06-03", "2024-07-22", "short", 15.0),
        ("2024-06-03", "2024-07-23", "short", 20.0),
        ("2024-02-29", "2025-02-28", "short", 20.0),
        ("2024-02-29", "2025-03-01", "long", 12.5),
        ("2025-11-20", "2026-11-20", "short", 20.0),
    ],
)
def test_the_term_goes_by_the_months_held_and_the_rate_by_the_day_of_sale(
    bought, sold, term, percent
):
    (line,) = match_lots([deal(bought, BUY, 1, 100.0), deal(sold, SELL, 1, 110.0)]).lines
    entry = RULES.entry(line)
    assert (entry.term, entry.percent) == (term, percent)


def test_charges_but_not_stt_lower_a_capital_gain():
    deals = [
        deal("2025-05-02", BUY, 10, 100.0, charged=2_00, stt=1_00),
        deal("2025-05-05", SELL, 10, 110.0, charged=3_50, stt=1_10),
    ]
    (entry,) = report(deals).entries
    assert entry.line.charges == 5_50
    assert entry.gain == 100_00 - (1_00 + 2_40)


def test_every_charge_lowers_the_profit_of_a_business():
    deals = [
        deal("2025-05-02", BUY, 10, 100.0, segment="EQ_INTRADAY", charged=2_00, stt=0),
        deal("2025-05-02", SELL, 10, 99.0, segment="EQ_INTRADAY", charged=3_50, stt=25, ts=1),
        option("2025-05-02", BUY, 65, 10.0, charged=24_00),
        option("2025-05-06", SELL, 65, 12.0, charged=26_00, stt=78),
    ]
    found = {business.section: business for business in report(deals).business}
    assert found["intraday"] == ("intraday", 10_00, -10_00, 5_50, -15_50)
    assert found["derivatives"] == ("derivatives", 130_00, 130_00, 50_00, 80_00)


@pytest.mark.parametrize(
    ("day", "fy", "turnover"),
    [
        ("2022-03-31", "2021-22", 130_00 + 130_00 + 780_00 + 520_00),
        ("2022-04-01", "2022-23", 130_00 + 130_00),
    ],
)
def test_turnover_adds_gains_and_losses_and_before_april_2022_the_premium_too(day, fy, turnover):
    deals = [
        option(day, BUY, 65, 10.0, ts=1),
        option(day, SELL, 65, 12.0, ts=2),
        option(day, SELL, 65, 8.0, ts=3),
        option(day, BUY, 65, 10.0, ts=4),
    ]
    (_, business) = report(deals, fy).business
    assert (business.turnover, business.difference) == (turnover, 0)


def test_a_future_s_turnover_never_counts_its_value():
    day = "2021-06-01"
    deals = [
        deal(day, side, 25, price, "BANKNIFTY21JUNFUT", "FUT", exchange="NFO", ts=n)
        for n, (side, price) in enumerate([(BUY, 35000.0), (SELL, 34990.0)])
    ]
    (_, business) = report(deals, "2021-22").business
    assert (business.turnover, business.difference) == (250_00, -250_00)


def test_a_short_option_that_is_carried_over_the_year_counts_when_it_closes():
    deals = [option("2026-03-30", SELL, 65, 10.0), option("2026-04-02", BUY, 65, 4.0)]
    assert report(deals, "2025-26").entries == []
    (entry,) = report(deals, "2026-27").entries
    assert (entry.line.direction, entry.gain) == ("short", 390_00)


def test_contracts_do_not_mix_and_neither_do_they_with_shares():
    deals = [
        option("2025-05-02", BUY, 65, 10.0),
        deal("2025-05-02", SELL, 65, 10.0, "OTHER", "OPT", exchange="NFO"),
    ]
    matched = match_lots(deals)
    assert not matched.lines
    assert len(matched.open) == 2


def test_a_split_multiplies_the_shares_and_keeps_cost_and_day():
    book = actions(
        (
            "X",
            "2025-06-16",
            "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share",
        )
    )
    deals = [deal("2025-05-02", BUY, 10, 1000.0), deal("2025-06-16", SELL, 25, 210.0)]
    matched = match_lots(deals, book)
    (line,) = matched.lines
    assert (line.opened, line.quantity, line.cost) == (date(2025, 5, 2), 25, 5_000_00)
    assert matched.open[0].quantity == 25


def test_bonus_shares_cost_nothing_and_are_held_since_their_ex_date():
    book = actions(("HDFCBANK", "2025-08-26", "Bonus 1:1"))
    deals = [
        deal("2024-05-02", BUY, 15, 1500.0, "HDFCBANK"),
        deal("2025-09-01", SELL, 30, 950.0, "HDFCBANK"),
    ]
    found = report(deals, book=book)
    assert [(e.line.quantity, e.line.cost, e.term, e.gain) for e in found.entries] == [
        (15, 22_500_00, "long", 14_250_00 - 22_500_00),
        (15, 0, "short", 14_250_00),
    ]


def test_a_fraction_of_a_bonus_share_is_lost():
    book = actions(("X", "2025-08-26", "Bonus 1:3"))
    matched = match_lots(
        [deal("2025-05-02", BUY, 5, 300.0), deal("2025-09-01", SELL, 6, 250.0)], book
    )
    assert sum(line.quantity for line in matched.lines) == 6
    assert not matched.unmatched
    assert not matched.open


def test_a_demerger_divides_the_cost_and_the_new_shares_keep_the_day():
    book = actions(("ITC", "2025-01-06", "Demerger"))
    deals = [
        deal("2023-05-02", BUY, 100, 400.0, "ITC"),
        deal("2025-02-03", SELL, 100, 450.0, "ITC"),
        deal("2025-02-04", SELL, 10, 170.0, "ITCHOTELS"),
    ]
    found = report(deals, "2024-25", book)
    assert [(e.line.symbol, e.line.opened, e.line.cost, e.term) for e in found.entries] == [
        ("ITC", date(2023, 5, 2), 34_596_00, "long"),
        ("ITCHOTELS", date(2023, 5, 2), 5_404_00, "long"),
    ]


def test_a_demerger_of_unknown_share_stops_the_report_only_where_shares_are_held():
    book = actions(("HINDUNILVR", "2025-12-05", "Demerger"))
    held = [deal("2025-05-02", BUY, 1, 2400.0, "HINDUNILVR")]
    with pytest.raises(DataError, match="HINDUNILVR on 2025-12-05"):
        match_lots(held, book)
    assert match_lots([*held, deal("2025-05-05", SELL, 1, 2500.0, "HINDUNILVR")], book).lines
    assert match_lots(held, book, date(2025, 12, 4)).open


def test_losses_come_off_the_highest_rate_first_and_then_the_exemption():
    deals = [
        deal("2023-04-03", BUY, 100, 1000.0, "A"),
        deal("2024-06-03", SELL, 100, 2000.0, "A"),
        deal("2023-04-03", BUY, 100, 1000.0, "B"),
        deal("2024-08-05", SELL, 100, 3000.0, "B"),
        deal("2024-05-02", BUY, 100, 1000.0, "C"),
        deal("2024-08-05", SELL, 100, 500.0, "C"),
        deal("2024-05-02", BUY, 100, 1000.0, "D"),
        deal("2024-06-05", SELL, 100, 1200.0, "D"),
    ]
    found = report(deals, "2024-25")
    assert found.gains == [
        GainsBucket("long", 10.0, 1_00_000_00),
        GainsBucket("long", 12.5, 2_00_000_00),
        GainsBucket("short", 15.0, 20_000_00),
        GainsBucket("short", 20.0, -50_000_00),
    ]
    # 50,000 lost: 20,000 off the short gain, 30,000 off the long one at 12.5 %; then 1,25,000 are
    # free
    assert {(b.term, b.percent): b.gain for b in found.taxable} == {
        ("long", 12.5): 45_000_00,
        ("long", 10.0): 1_00_000_00,
        ("short", 15.0): 0,
    }
    assert found.tax == 5_625_00 + 10_000_00


def test_a_long_term_loss_does_not_lower_short_term_gains():
    deals = [
        deal("2024-05-02", BUY, 10, 1000.0, "A"),
        deal("2025-06-03", SELL, 10, 500.0, "A"),
        deal("2025-05-02", BUY, 10, 1000.0, "B"),
        deal("2025-06-03", SELL, 10, 1100.0, "B"),
    ]
    found = report(deals)
    assert found.taxable == [GainsBucket("short", 20.0, 1_000_00)]
    assert found.tax == 200_00


def test_the_exemption_is_that_of_the_year():
    assert RULES.exemption(financial_year("2023-24")) == 1_00_000_00
    assert RULES.exemption(financial_year("2024-25")) == 1_25_000_00


def test_a_financial_year_runs_from_april_to_march():
    assert financial_year("2025-26") == FinancialYear(date(2025, 4, 1), date(2026, 3, 31))
    assert financial_year("1999-00").last == date(2000, 3, 31)
    assert year_of(date(2026, 3, 31)).name == "2025-26"
    assert year_of(date(2026, 4, 1)).name == "2026-27"
    for wrong in ("2025", "2025-27", "25-26", "2025-2026", "abcd-26"):
        with pytest.raises(ConfigError, match="financial year"):
            financial_year(wrong)


def test_a_sale_before_the_table_is_refused_with_the_file_to_extend():
    with pytest.raises(DataError, match=r"capital gains rate for 2018-03-29.*tax\.json"):
        RULES.gains(date(2018, 3, 29))


def of_assets(rows):
    """Return the rows that one purchase is taxed by, day by day."""
    for asset in {asset for row in rows for asset in row.assets}:
        for bought in (date(2023, 3, 31), date(2023, 4, 1)):
            yield [
                row
                for row in rows
                if asset in row.assets and row.bought_from <= bought <= row.bought_until
            ]


def test_the_rows_of_the_table_meet_and_name_known_sources():
    table = RULES._table
    for rows in (table.gains, table.exemption, table.turnover, *of_assets(table.other_gains)):
        assert all(row.source and set(row.source) <= set(table.sources) for row in rows)
        assert all((two.first - one.last).days == 1 for one, two in pairwise(rows))
        assert rows[-1].last == date.max


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(Side),
            st.integers(1, 50),
            st.integers(1, 10**7),
            st.integers(0, 999),
        ),
        max_size=40,
    ),
    st.sampled_from(["EQ_DELIVERY", "OPT"]),
)
def test_no_share_and_no_paisa_is_lost_or_made(rows, segment):
    exchange = "NSE" if segment == "EQ_DELIVERY" else "NFO"
    deals = [
        AccountDeal(
            date.fromordinal(739_000 + day),
            n,
            exchange,
            "X",
            segment,
            side,
            quantity,
            value,
            cost,
            cost // 2,
            str(n),
        )
        for n, (day, side, quantity, value, cost) in enumerate(rows)
    ]
    matched = match_lots(deals)
    rest = [*matched.open, *matched.unmatched]
    for side in Side:
        own = [each for each in deals if each.side is side]
        left = [lot for lot in rest if lot.side is side]
        closed = [line.cost if side is Side.BUY else line.proceeds for line in matched.lines]
        assert sum(each.value for each in own) == sum(closed) + sum(lot.value for lot in left)
        assert sum(each.quantity for each in own) == sum(
            line.quantity for line in matched.lines
        ) + sum(lot.quantity for lot in left)
    assert sum(each.charges for each in deals) == sum(line.charges for line in matched.lines) + sum(
        lot.charges for lot in rest
    )


def test_fills_of_the_desk_become_deals_with_stt_and_segment():
    ts = 1_763_610_300_000_000_000  # 2025-11-20 09:15 IST
    rows = [
        {
            "trade_id": "2",
            "order_id": "B",
            "ts": ts + 5,
            "exchange": "NFO",
            "symbol": "NIFTY25NOV26000CE",
            "side": "SELL",
            "quantity": 75,
            "price": 100.0,
            "product": "NRML",
        },
        {
            "trade_id": "1",
            "order_id": "A",
            "ts": ts,
            "exchange": "NSE",
            "symbol": "INFY",
            "side": "BUY",
            "quantity": 10,
            "price": 1500.0,
            "product": None,
        },
        {
            "trade_id": "3",
            "order_id": "C",
            "ts": ts + 9,
            "exchange": "NSE",
            "symbol": "INFY",
            "side": "SELL",
            "quantity": 10,
            "price": 1500.0,
            "product": "MIS",
        },
    ]
    first, second, third = charged_deals(deals_of(rows), TABLE)
    assert (first.day, first.segment, first.value, first.stt) == (
        date(2025, 11, 20),
        "EQ_DELIVERY",
        15_000_00,
        15_00,
    )
    # STT 15, NSE 0.45, IPFT 0.02, SEBI 0.02, stamp 2.25 billed as 2, GST 2 x 0.04
    assert first.charges == 17_57
    # brokerage 20, STT 7.50 billed as 8, NSE 2.63, IPFT 0.04, SEBI 0.01, GST 2 x 2.04
    assert (second.segment, second.charges, second.stt) == ("OPT", 34_76, 7_50)
    # brokerage 4.50, STT 3.75 billed as 4, NSE 0.45, IPFT 0.02, SEBI 0.02, GST 2 x 0.45
    assert (third.segment, third.charges, third.stt) == ("EQ_INTRADAY", 9_89, 3_75)


def test_a_fill_that_cannot_be_read_is_named():
    with pytest.raises(DataError, match="fill 7"):
        deals_of([{"trade_id": "7", "ts": 1, "exchange": "NSE"}])
    row = {
        "trade_id": "8",
        "order_id": "A",
        "ts": 1,
        "exchange": "NSE",
        "symbol": "X",
        "side": "HOLD",
        "quantity": 1,
        "price": 1.0,
    }
    with pytest.raises(DataError, match="fill 8"):
        deals_of([row])


def test_the_account_posts_the_contract_note_the_depository_and_the_balance():
    deals = [
        deal("2026-11-19", BUY, 100, 1000.0, order="A"),
        deal("2026-11-20", SELL, 100, 1005.0, order="B"),
    ]
    found = account_postings(deals, TABLE, date(2026, 4, 1), date(2027, 3, 31), 2_00_000_00)
    # bought: STT 100, NSE 3.07, SEBI 0.10, stamp 15, GST 2 x 0.29; sold: STT 100.50 billed as 101,
    # 3.09, 0.10, 2 x 0.29
    assert [(p.what, p.charges, p.amount, p.balance) for p in found] == [
        ("contract note", 118_75, -1_00_118_75, 99_881_25),
        ("contract note", 104_77, 1_00_395_23, 2_00_276_48),
        ("depository, X", 15_34, -15_34, 2_00_261_14),
    ]


def test_delivery_that_was_closed_on_its_day_is_charged_as_intraday_and_owes_no_depository():
    deals = [deal("2026-11-20", BUY, 100, 1000.0), deal("2026-11-20", SELL, 100, 1005.0, ts=1)]
    (posting,) = account_postings(deals, TABLE, date(2026, 4, 1), date(2027, 3, 31))
    assert (posting.segment, posting.charges, posting.amount) == (
        "EQ_INTRADAY",
        82_70,
        500_00 - 82_70,
    )


def test_several_trades_of_one_order_pay_one_brokerage():
    parts = [option("2026-11-20", SELL, 65, 146.0, order="A", ts=n) for n in range(3)]
    (posting,) = account_postings(parts, TABLE, date(2026, 4, 1), date(2027, 3, 31))
    (single,) = account_postings(
        [option("2026-11-20", SELL, 195, 146.0)], TABLE, date(2026, 4, 1), date(2027, 3, 31)
    )
    assert posting == single


def test_the_account_covers_its_days_and_no_other():
    deals = [deal("2026-03-31", BUY, 1, 100.0), deal("2026-04-01", BUY, 1, 100.0)]
    (posting,) = account_postings(deals, TABLE, date(2026, 4, 1), date(2027, 3, 31))
    assert posting.day == date(2026, 4, 1)


def test_shares_that_were_bought_and_sold_on_a_day_are_charged_as_intraday():
    told = [deal("2025-06-02", BUY, 150, 800.0, ts=1), deal("2025-06-02", SELL, 100, 790.0, ts=2)]
    deals = sorted(charged_deals(told, TABLE), key=lambda each: (each.ts, each.segment[::-1]))
    assert [(each.segment, each.side, each.quantity, each.value, each.stt) for each in deals] == [
        ("EQ_INTRADAY", BUY, 100, 80_000_00, 0),
        ("EQ_DELIVERY", BUY, 50, 40_000_00, 40_00),
        ("EQ_INTRADAY", SELL, 100, 79_000_00, 19_75),
    ]
    # the note of intraday: brokerage 40, STT 20, exchange 4.72, IPFT and SEBI 0.16, stamp 2, GST 2
    # x 4.05; of itself, the purchase costs 28.99 and the sale 46.31
    assert (deals[0].charges, deals[2].charges) == (28_93, 75_14 - 28_93)
    (line,) = match_lots(deals).lines
    assert (line.section, line.difference, line.stt) == ("intraday", -1000_00, 19_75)
    assert [lot.quantity for lot in match_lots(deals).open] == [50]


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_shares_of_a_note_add_up_to_it_and_follow_the_weights(total, weights):
    found = proportional_shares(total, weights)
    assert sum(found) == total
    if sum(weights):
        assert all(
            abs(each * sum(weights) - total * weight) <= sum(weights)
            for each, weight in zip(found, weights, strict=True)
        )


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(["X", "Y"]),
            st.sampled_from(["EQ_DELIVERY", "EQ_INTRADAY", "OPT"]),
            st.sampled_from(Side),
            st.integers(1, 50),
            st.integers(1, 10**8),
            st.integers(1, 4),
        ),
        max_size=30,
    )
)
def test_gains_open_lots_and_account_are_charged_the_same(rows):
    deals = [
        AccountDeal(
            date.fromordinal(739_400 + day),
            n,
            "NFO" if segment == "OPT" else "NSE",
            name,
            segment,
            side,
            quantity,
            value,
            0,
            0,
            f"{segment} {name} {side} {order}",
            str(n),
        )
        for n, (day, name, segment, side, quantity, value, order) in enumerate(rows)
    ]
    year = year_of(date.fromordinal(739_400))
    priced = charged_deals(deals, TABLE)
    matched = match_lots(priced, None, year.last)
    notes = sum(
        posting.charges
        for posting in account_postings(deals, TABLE, *year)
        if posting.what == "contract note"
    )
    assert notes == sum(
        each.charges for each in (*matched.lines, *matched.open, *matched.unmatched)
    )
