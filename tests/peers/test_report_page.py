"""A real browser opens the report of a backtest.

It asks nobody, complains of nothing, fits a phone, filters, and prints.
"""

import re
from contextlib import asynccontextmanager

import pytest

from engine.backtest.linter.result_linter import lint_outcome
from engine.backtest.report import html
from engine.backtest.report.trade_ledger import trade_cells
from engine.backtest.statistics.run_statistics import statistics
from tests.engine.backtest.demo_run import demo
from tests.peers import chromium

pytestmark = pytest.mark.peers

SHOWN = "!document.getElementById('filters').hidden"
ROWS = (
    "[...document.getElementById('rows').tBodies[0].rows].map((row) => [...row.cells].map((cell) "
    "=> cell.textContent))"
)
TOLD = "document.getElementById('told').textContent"
OVERFLOWING = """
[...document.querySelectorAll('dd, dt, figcaption, h1, h2, p, .heat :is(th, td)')]
  .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)
  .concat([...document.querySelectorAll('body *')].filter((each) => {
  if (each.closest('.scroll, nav, svg')) return false;
  const box = each.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map((each) => each.outerHTML.slice(0, 80)))
"""
TEXTS_THAT_MEET = """
[...document.querySelectorAll('figure > svg')].flatMap((picture) => {
  const boxes = [...picture.querySelectorAll('text.x, text.y, text.value')]
    .filter((each) => getComputedStyle(each).display !== 'none')
    .map((each) => [each.textContent, each.getBoundingClientRect()]);
  return boxes.flatMap(([text, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => `${text} / ${other}`));
})
"""


@pytest.fixture(scope="module")
def run():
    return demo(trades=3_000, days=500, loud="<b>&")


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    outcome, candles = run
    metrics = [
        each._replace(value=-1_25_237_790.92) if each.key == "net" else each
        for each in statistics(outcome)
    ]
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(
        html(outcome, metrics, lint_outcome(outcome, metrics), candles, [7]), encoding="utf-8"
    )
    return file.as_uri()


@asynccontextmanager
async def opened(folder, url, width, **options):
    async with chromium.tab(folder) as tab:
        await tab.open(url, width, **options)
        await tab.run(
            f"new Promise((done) => {{ const look = () => {SHOWN} ? done() : setTimeout(look, "
            f"20); look(); }})"
        )
        yield tab


async def choose(tab, **wanted):
    for name, value in wanted.items():
        await tab.run(f"document.forms[0].{name}.value = {value!r}")
    await tab.run("document.forms[0].dispatchEvent(new Event('change'))")


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_asks_nobody_complains_of_nothing_and_fits(page, tmp_path, width, scheme):
    async with opened(tmp_path, page, width, scheme=scheme, phone=width < 500) as tab:
        assert tab.asked == [page]
        assert tab.said == []
        assert await tab.run("document.documentElement.scrollWidth") == width
        assert await tab.run(OVERFLOWING) == []
        assert await tab.run(TEXTS_THAT_MEET) == []
        if width > 1_000:
            assert (
                await tab.run(
                    "(({scrollWidth, clientWidth}) => scrollWidth - "
                    "clientWidth)(document.querySelector('.heat').parentNode)"
                )
                <= 1
            )


async def test_a_script_that_somebody_put_in_would_not_run(page, tmp_path):
    async with opened(tmp_path, page, 1280) as tab:
        await tab.run(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: "
            "'window.bad = 1'}))"
        )
        assert await tab.run("window.bad") is None
        assert any("Content Security Policy" in str(each) for each in tab.said)


async def test_the_script_shows_what_stood_there_before_it(run, page, tmp_path):
    async with opened(tmp_path, page, 1280) as tab:
        assert await tab.run(ROWS) == [
            [str(cell.content) for cell in trade_cells(each)] for each in run[0].trades[:50]
        ]


async def test_the_ledger_is_filtered_sorted_and_turned(run, page, tmp_path):
    trades = run[0].trades
    strategy, symbol = trades[0].strategy, trades[0].symbol
    async with opened(tmp_path, page, 1280) as tab:
        await choose(tab, strategy=strategy, symbol=symbol, side="1", result="lost")
        wanted = [
            each
            for each in trades
            if (each.strategy, each.symbol, each.side) == (strategy, symbol, 1)
        ]
        wanted = [each for each in wanted if each.net < 0 and not each.is_open]
        assert 0 < len(wanted) < 50
        assert [each[0] for each in await tab.run(ROWS)] == [str(each.number) for each in wanted]
        net = sum(each.net for each in wanted)
        assert re.search(
            rf"of {len(wanted)} trades, -₹[\d,]+\.{-net % 100:02d} net$", await tab.run(TOLD)
        )
        await tab.run("document.querySelectorAll('#rows thead button')[12].click()")
        by_net = sorted(wanted, key=lambda each: each.net)
        assert [each[12] for each in await tab.run(ROWS)] == [
            str(trade_cells(each)[12].content) for each in by_net
        ]
        await choose(tab, strategy="", symbol="", side="", result="open")
        assert {each[0] for each in await tab.run(ROWS)} == {
            str(each.number) for each in trades if each.is_open
        }
        await choose(tab, result="")
        await tab.run("document.querySelectorAll('#rows thead button')[0].click()")
        await tab.run("document.getElementById('after').click()")
        assert [each[0] for each in await tab.run(ROWS)] == [str(i) for i in range(51, 101)]


async def test_the_page_shows_everything_but_the_ledgers_filter_without_scripts(page, tmp_path):
    async with chromium.tab(tmp_path) as tab:
        await tab.ask("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(page, 1280)
        text = await tab.run("document.body.innerText")
        assert "The first 50 of 3,000 trades" in text
        assert await tab.run("document.getElementById('filters').checkVisibility()") is False
        assert await tab.run("document.querySelectorAll('section').length") == 13
        assert await tab.run("document.querySelectorAll('#rows tbody tr').length") == 50


async def test_the_page_prints_to_a_handful_of_a4_pages_in_light_colours(page, tmp_path):
    async with opened(tmp_path, page, 1280, scheme="dark") as tab:
        printed = await tab.printed()
    pages = re.findall(rb"/Type\s*/Page\b", printed)
    boxes = {
        tuple(round(float(each)) for each in found.split())
        for found in re.findall(rb"/MediaBox\s*\[([^\]]*)\]", printed)
    }
    assert 6 <= len(pages) <= 14
    assert {(width, height) for _, _, width, height in boxes} <= {
        (595, 842),
        (596, 842),
        (595, 843),
        (596, 843),
    }
