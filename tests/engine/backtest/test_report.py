"""The report as a page: whole in itself, true to the run, harmless under any name."""

import base64
import hashlib
import json
import re
import zlib
from itertools import accumulate

import msgspec
import numpy as np
import pytest

from engine.backtest.linter.result_linter import lint_outcome, overall_verdict
from engine.backtest.report import html
from engine.backtest.statistics import result_tables
from engine.backtest.statistics.run_statistics import statistics
from engine.history.bar_series import numbered_day
from tests.engine.backtest.demo_run import demo, many
from tests.engine.backtest.pages import Page
from tests.foreign import HOSTILE, obeyed

LOUD = "<script>alert(1)</script>\"'&amp;</style>-->"


def report(outcome, candles=None, asked=()):
    metrics = statistics(outcome, trials=24)
    return html(outcome, metrics, lint_outcome(outcome, metrics), candles, asked)


@pytest.fixture(scope="module")
def run():
    return demo(trades=1_200, days=320)


@pytest.fixture(scope="module")
def text(run):
    return report(*run, asked=(100,))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def rupees(paise, *, signed=False):
    """Spell an amount the Indian way, by another road than the product's."""
    digits, part = divmod(abs(paise), 100)
    tail = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", str(digits)[:-3])
    whole = f"{tail},{str(digits)[-3:]}" if tail else str(digits)
    return f"{'-' if paise < 0 else '+' if signed and paise else ''}₹{whole}.{part:02d}"


def unpacked(page):
    held = json.loads(zlib.decompress(base64.b64decode(page.scripts[0])))
    texts, columns = held["texts"], held["columns"]
    for name in ("number", "entry"):
        columns[name] = list(accumulate(columns[name]))
    for name, all_ in texts.items():
        columns[name] = [all_[i] for i in columns[name]]
    return columns


def test_a_page_asks_nobody_for_anything(page, text):
    assert "//" not in re.sub(
        r"//# ?", "", "".join(value or "" for _, held in page.tags for value in held.values())
    )
    assert not {"src", "srcset", "action", "background", "poster"} & {
        name for _, held in page.tags for name in held
    }
    assert all(each["href"].startswith("#") for each in page.named("a"))
    assert not re.search(r"https?:|@import|url\(", text)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}


def test_a_page_may_run_its_own_script_and_no_other(page):
    (policy,) = [
        each["content"]
        for each in page.named("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    own = base64.b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert f"script-src 'sha256-{own}';" in policy
    assert policy.startswith("default-src 'none';")
    assert not [name for _, held in page.tags for name in held if name.startswith("on")]


def test_a_page_of_5000_trades_stays_below_a_megabyte_and_one_of_75000_below_three():
    outcome, candles = demo(trades=5_000, days=750)
    metrics = statistics(outcome)
    assert len(html(outcome, metrics, lint_outcome(outcome, metrics), candles).encode()) < 1_000_000
    text = html(many(outcome), metrics, [], candles)
    assert len(text.encode()) < 3_000_000
    assert len(unpacked(Page(text))["number"]) == 75_000


def test_every_id_is_there_once_and_every_link_leads_somewhere(page):
    ids = [held["id"] for _, held in page.tags if "id" in held]
    assert len(ids) == len(set(ids))
    assert {each["href"][1:] for each in page.named("a")} <= set(ids)


def test_every_picture_says_what_it_shows_or_is_mere_decoration(page):
    assert len(page.titled) > 12
    assert all(page.titled)
    outer = [held for tag, held in page.tags if tag == "svg" and "viewbox" not in held]
    assert all("role" in each or each.get("aria-hidden") == "true" for each in outer)


def test_the_key_figures_are_those_of_the_run(run, page):
    outcome, _ = run
    closed = [each for each in outcome.trades if not each.is_open]
    won = sum(each.net > 0 for each in closed)
    shown = dict(zip(page.texts_of("dt"), page.texts_of("dd"), strict=True))
    assert len(shown) == 10
    assert shown["Net"] == rupees(
        int(outcome.daily.equity[-1]) - outcome.manifest.start_cash, signed=True
    )
    assert shown["Charges"] == rupees(int(outcome.daily.charges.sum()))
    assert shown["Trades"] == f"1,{len(closed) - 1_000}"
    assert shown["Win Rate"] == f"{100 * won / len(closed):.2f}%"
    assert shown["Expectancy"] == rupees(
        round(sum(each.net for each in closed) / len(closed)), signed=True
    )
    low = (
        outcome.curve
        / np.maximum.accumulate(np.maximum(outcome.curve, outcome.manifest.start_cash))
        - 1
    ).min()
    assert shown["Max. Drawdown"] == f"{100 * low:.2f}%"


def test_the_ledger_holds_every_trade_to_the_paisa(run, page):
    outcome, _ = run
    held = unpacked(page)
    for name in (
        "number",
        "strategy",
        "symbol",
        "side",
        "rung",
        "quantity",
        "charges",
        "slippage",
        "mae",
        "mfe",
    ):
        assert held[name] == [getattr(each, name) for each in outcome.trades], name
    assert held["entry"] == [each.entry_ts // 10**9 for each in outcome.trades]
    assert held["in"] == [round(each.entry_price * 100) for each in outcome.trades]
    for i, each in enumerate(outcome.trades):
        assert held["gross"][i] + each.side * held["out"][i] * each.quantity == each.gross
        assert held["in"][i] + held["out"][i] == round(each.exit_price * 100)
        assert (held["held"][i] == -1) == each.is_open
    assert held["exit_reason"] == [each.exit_reason for each in outcome.trades]


def test_the_first_trades_stand_on_the_page_without_a_script(run, page):
    outcome, _ = run
    rows = [row for row in page.rows if len(row) == 18][1:]
    assert len(rows) == 50
    for trade, row in zip(outcome.trades, rows, strict=False):
        assert row[0] == str(trade.number)
        assert row[1:4] == [trade.strategy, trade.symbol, "long" if trade.side > 0 else "short"]
        assert row[10:13] == [
            rupees(trade.gross, signed=True),
            rupees(trade.charges),
            rupees(trade.net, signed=True),
        ]
        assert row[6] == str(np.datetime64(trade.entry_ts, "ns") + np.timedelta64(330, "m"))[
            :16
        ].replace("T", " ")


def test_the_costs_add_up_on_the_page(run, page):
    outcome, _ = run
    rows = {row[0]: row for row in page.rows if len(row) == 5 and row[1] == ""}
    for step in result_tables.cost_steps(outcome):
        assert rows[step.label][2] == rupees(step.amount, signed=True)
        assert rows[step.label][4] == f"{100 * step.amount / outcome.daily.turnover.sum():.4f}%"


def test_a_breakdown_stands_on_the_page(run, page):
    outcome, _ = run
    for symbol in {each.symbol for each in outcome.trades}:
        closed = [each for each in outcome.trades if each.symbol == symbol and not each.is_open]
        row = next(row for row in page.rows if row[0] == symbol and len(row) == 11)
        assert row[1] == str(len(closed))
        assert row[3] == rupees(sum(each.net for each in closed), signed=True)


def test_the_verdict_and_every_check_stand_on_the_page(run, page):
    outcome, _ = run
    findings = lint_outcome(outcome, statistics(outcome, trials=24))
    assert overall_verdict(findings) in page.texts
    cells = page.first_cells
    for each in findings:
        assert cells[each.label][0].endswith(each.status)
        assert cells[each.label][2] == each.why
        assert (cells[each.label][3] == each.mend) == (each.status in {"warn", "fail"})


def test_a_pointer_on_a_chart_is_told_what_the_account_was_that_day(run, page):
    outcome, _ = run
    told = [text for text in page.texts_of("title") if ", before charges " in text]
    assert len(told) == 120
    days = {text.split(":")[0]: text for text in told}
    for i, number in enumerate(outcome.daily.day.tolist()):
        text = days.pop(str(numbered_day(number)), None)
        if text:
            assert (
                f": {rupees(int(outcome.daily.equity[i]))}, before charges "
                f"{rupees(int(outcome.daily.gross[i]))}, " in text
            )
    assert days == {}
    assert told[-1].startswith(outcome.manifest.last)


def test_what_each_strategy_had_made_by_a_day_is_told_on_that_day(run, page):
    outcome, _ = run
    told = [text for text in page.texts_of("title") if "opening_range" in text]
    assert len(told) == 120
    for text in told:
        end = (
            int((np.datetime64(text[:10]) + 1).astype("datetime64[ns]").astype(np.int64))
            - 330 * 60 * 10**9
        )
        for name in outcome.manifest.strategies:
            net = sum(
                each.net
                for each in outcome.trades
                if each.strategy == name and 0 < each.exit_ts < end
            )
            assert f"{name} {rupees(net, signed=True)}" in text


def test_what_is_asked_for_and_what_stands_out_is_drawn(run, page):
    outcome, _ = run
    closed = [each for each in outcome.trades if not each.is_open]
    best = max(closed, key=lambda each: each.net)
    drawn = [
        each for each in page.texts if re.match(r"#\d+ ", each) and "after charges" not in each
    ]
    assert "#100 " in drawn[0]
    assert "asked for" in drawn[0]
    assert any(each.startswith(f"#{best.number} {best.symbol}: best trade") for each in drawn)


def test_a_gain_has_a_plus_and_a_loss_a_minus_wherever_they_are_painted(page):
    painted = [(tones.split(), text) for tag in ("td", "dd") for tones, text in page.held[tag]]
    ups = [text for tones, text in painted if "up" in tones]
    downs = [text for tones, text in painted if "down" in tones]
    assert len(ups) > 50
    assert len(downs) > 20
    assert all(each.startswith("+") or re.fullmatch(r"\d+\.\d\d", each) for each in ups), (
        "but for ratios"
    )
    assert all(each.startswith("-") for each in downs)


def test_names_that_are_markup_are_text():
    outcome, candles = demo(trades=300, days=30, loud=LOUD)
    page = Page(report(outcome, candles))
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert [tag for tag, _ in page.tags].count("style") == 1
    assert "alert" not in page.scripts[-1]
    assert f"TCS{LOUD}" in page.texts
    assert f"momentum_ladder{LOUD}" in page.texts
    assert f"Three strategies on twenty stocks{LOUD}" in page.texts
    assert set(unpacked(page)["symbol"]) == {each.symbol for each in outcome.trades}


def test_names_that_a_reader_cannot_see_are_shown_without_what_they_hide():
    outcome, candles = demo(trades=20, days=3, loud=HOSTILE)
    text = report(outcome, candles)
    page = Page(text)
    assert text.encode()
    assert not any(obeyed(each) for each in page.texts)
    assert not any(obeyed(each) for each in unpacked(page)["symbol"])


CASES = {
    "no trades": {"trades": 0, "days": 40},
    "one day": {"trades": 12, "days": 1},
    "one trade": {"trades": 1, "days": 5},
    "all losing": {"trades": 200, "days": 60, "edge": -9.0},
    "all winning": {"trades": 200, "days": 60, "edge": 9.0},
    "no session": {"trades": 0, "days": 0},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_run_of_any_kind_has_a_report(case):
    outcome, candles = demo(**case)
    page = Page(report(outcome, candles, asked=(1, 999)))
    assert not re.search(r"\b(nan|NaN|inf|None)\b", page.text)
    assert not re.search(
        r"\b(nan|inf)\b", " ".join(str(value) for tag, held in page.tags for value in held.values())
    )
    assert overall_verdict(lint_outcome(outcome, statistics(outcome, trials=24))) in page.texts


def test_a_run_without_prices_of_what_it_is_compared_with_has_a_report(run):
    outcome, _ = run
    empty = np.full(len(outcome.daily.day), np.nan)
    page = Page(
        report(outcome._replace(daily=outcome.daily._replace(benchmark=empty, market=empty)))
    )
    assert "nan" not in page.text


def test_an_account_that_came_to_nothing_has_a_report():
    outcome, candles = demo(trades=50, days=20)
    lost = outcome.daily.equity.copy()
    lost[-3:] = 0
    curve = outcome.curve.copy()
    curve[-200:] = 0
    page = Page(
        report(outcome._replace(daily=outcome.daily._replace(equity=lost), curve=curve), candles)
    )
    assert "nan" not in page.text


def test_an_account_that_hardly_moves_is_not_flattened_by_what_it_is_compared_with(run, page):
    outcome, _ = run
    start = outcome.manifest.start_cash
    small = outcome.daily._replace(
        **{
            name: start + (getattr(outcome.daily, name) - start) // 1_000
            for name in ("equity", "gross")
        }
    )
    text = Page(
        report(outcome._replace(daily=small, curve=start + (outcome.curve - start) // 1_000))
    ).text
    assert text.count("too far off to be drawn beside it") == 4, (
        "in words, and beside each of both charts"
    )
    assert re.search(r"buy and hold ends at \S+, too far off", text)
    assert not re.search(r"buy and hold ends at \S+, too far off", page.text)


def test_a_run_that_was_stopped_says_so(run, page):
    outcome, _ = run
    stopped = msgspec.structs.replace(outcome.manifest, partial=True)
    said = "stopped before its last session: this is a part of the run"
    assert said in Page(report(outcome._replace(manifest=stopped))).texts_of("p")
    assert said not in page.texts_of("p")
