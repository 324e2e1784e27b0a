"""A real browser opens the report of a sweep: it asks nobody, complains of nothing, and fits."""

from datetime import date
from itertools import product

import numpy as np
import pytest

from engine.config.scoring_settings import ScoringSettings
from engine.research.sweep_page import SweepFacts, sweep_html
from engine.research.sweep_study import draw_chances, study_sweep
from engine.research.trials import StudyTerms, SweepRow, SweepTrial, TrialResult, pack_returns
from tests.engine.research.evidence.test_day_folds import weekdays
from tests.peers import chromium
from tests.peers.test_report_page import OVERFLOWING

pytestmark = pytest.mark.peers
DAYS = weekdays(date(2025, 1, 1), date(2025, 12, 31))
LOUD = "<b>&a_long_name_of_a_strategy_that_somebody_wrote"
SIZES = "[...document.querySelectorAll('.map tbody td')].map((cell) => cell.offsetWidth)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the address of a report that has every part."""
    random = np.random.default_rng(5)
    rows = []
    for symbol, fast, slow in product(("INFY", "M&M"), range(5, 75, 5), range(30, 80, 10)):
        trial = SweepTrial(strategy=LOUD, symbol=symbol, parameters={"fast": fast, "slow": slow})
        daily = random.normal(0.0002 * (fast - 30) / 30, 0.01, len(DAYS))
        metrics = {
            "return": 100.0 * float(daily.sum()),
            "net": 1e6 * float(daily.sum()),
            "sessions": float(len(DAYS)),
            "sharpe": 16.0 * float(daily.mean() / daily.std()),
            "max_drawdown": -5.0,
            "trades": 400.0,
        }
        name = f"{symbol}-{fast}-{slow}"
        result = TrialResult(trial=name, metrics=metrics, returns=pack_returns(daily))
        rows.append(SweepRow(name, trial, 60, result))
    terms = StudyTerms(windows="3m/1m", folds=5, as_of=date(2026, 2, 1))
    study = study_sweep(rows, DAYS, ScoringSettings(), terms)
    study = draw_chances(study, {name: random.normal(1e-4, 1e-3, 50) for name in study.leaders}, 7)
    facts = SweepFacts(
        LOUD,
        "2026-01-01T00:00:00+00:00",
        first=str(DAYS[0]),
        last=str(DAYS[-1]),
        sessions=len(DAYS),
        trials=len(rows),
        failed=3,
        refused=12,
        objective="sharpe",
        command=f"patang sweep {LOUD} --param fast=5:70:5",
        notices=["stopped before its end: this is a part of the sweep"],
    )
    file = tmp_path_factory.mktemp("sweep") / "sweep.html"
    file.write_text(sweep_html(facts, study, rows), encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
async def test_a_page_fits_asks_nobody_and_complains_of_nothing(page, tmp_path, width, scheme):
    async with chromium.tab(tmp_path) as tab:
        await tab.open(page, width, scheme=scheme, phone=width == 390)
        assert await tab.run("document.documentElement.scrollWidth") == width
        assert await tab.run(OVERFLOWING) == []
        assert await tab.run("document.querySelectorAll('b').length") == 0
        assert await tab.run("document.querySelectorAll('main > section').length") == 9
        assert len(set(await tab.run(SIZES))) <= 2  # rounding
        assert tab.asked == [page]
        assert tab.said == []
