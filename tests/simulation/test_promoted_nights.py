"""A desk left on over a weekend in which what is promoted changes, or breaks."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from engine.backtest import run_identity
from engine.config.promotion_settings import PromotionSettings
from engine.config.schema import DeskConfig
from engine.day.timekeeper import Timekeeper
from engine.promotion.followed_config import follow_next_day
from engine.promotion.next_day_file import FILE
from engine.promotion.promotion_log import PromotionLog
from strategies import build
from strategies.strategy_sources import SHIPPED
from tests.engine.promotion.made_up import promoted, put_promotion
from tests.simulation.test_nights import FRIDAY, MONDAY, Weekend, standing
from tui.run.settings import PromotionFollower

HOLDER = """
from strategies import Side, Strategy, StrategyParameters


class Holder(Strategy):
    def __init__(self, name, parameters: StrategyParameters) -> None:
        super().__init__(name, parameters.timeframe_s)

    def on_bar(self, ctx, bar):
        if not ctx.warming and not ctx.ladders(bar.token):
            ctx.enter(bar.token, Side.BUY, 0, 4.0, quantity=10, trail=False, reason="hold")
"""
GONE = "(what it holds keeps its stops at the broker, and is left by hand)"


def hashed(name, **table):
    """Return a promoted strategy with the hash of the code that it has now."""
    return promoted(
        name, code=run_identity.source_hash(build(name, table)), **table | {"budget": 30_000}
    )


def cross(**values):
    table = {"source": SHIPPED["moving_average_cross"], "timeframe_s": 60} | values
    made = hashed("cross_itc_60", **table)
    return made._replace(table=made.table | {"symbols": ["ITC"]})


class FollowedWeekend(Weekend):
    """A weekend of a desk whose strategies are all promoted, Friday's `holder_sbin_60` first."""

    def __init__(self, home):
        (home / "holder.py").write_text(HOLDER)
        self.source = home / "holder.py"
        self.log = PromotionLog(home / "state")
        with self.log.lock():
            put_promotion(self.log, [self.holder()])

    def begin(self):
        """Open Friday's desk."""
        config = DeskConfig(promotion=PromotionSettings(budget=60_000))
        followed = follow_next_day(config, self.log.state)
        station = SimpleNamespace(
            configured=config,
            config=followed.values,
            next_day=followed.next_day,
            state=self.log.state,
        )
        self.follower = PromotionFollower(station, (), ())
        super().__init__(terms=self.follower.terms)
        desk = self.process.desk
        desk.settings = replace(desk.settings, beat_s=90.0)  # nothing happens in two nights

    def holder(self):
        table = {"source": str(self.source), "timeframe_s": 60}
        made = hashed("holder_sbin_60", **table)
        return made._replace(
            table={key: each for key, each in made.table.items() if key != "fast"}
            | {"symbols": ["SBIN"]}
        )

    def _strategies(self):
        self.made.append(self.follower.rebuild())
        return self.made[-1]

    @property
    def slots(self):
        return {slot.name: slot for slot in self.process.kernel.state.slots}

    def audited(self):
        rows = self.process.journal.load("audit")
        return [row["detail"] for row in rows if row["act"] == "next_day"]


async def rest(*_):
    """Keep no time: looking at the clock each second of a weekend is not what is asked about."""
    await asyncio.Event().wait()


@pytest.fixture
def weekend(tmp_path, monkeypatch):
    monkeypatch.setattr(Timekeeper, "run", rest)
    world = FollowedWeekend(tmp_path)
    yield world
    world.close()


def test_a_morning_follows_what_was_promoted_over_the_weekend_and_keeps_what_is_held(weekend):
    weekend.begin()
    weekend.until(FRIDAY, "15:12")
    held = standing(weekend.process.kernel)
    assert set(weekend.slots) == {"holder_sbin_60"}
    assert weekend.process.kernel.limits.budgets == {"holder_sbin_60": 30_000_00}
    with weekend.log.lock():
        put_promotion(weekend.log, [cross()])
    weekend.until(FRIDAY, "15:30")
    assert set(weekend.slots) == {"holder_sbin_60"}, "never in the middle of a day"

    weekend.until(MONDAY, "08:47")
    assert set(weekend.slots) == {"cross_itc_60"}
    instrument = weekend.process.kernel.view.instrument
    assert [instrument(token).symbol for token in weekend.slots["cross_itc_60"].tokens] == ["ITC"]
    budgets = weekend.process.kernel.limits.budgets
    assert {name: int(each) for name, each in budgets.items() if each} == {
        "cross_itc_60": 30_000_00
    }
    assert standing(weekend.process.kernel).gtt.gtt_id == held.gtt.gtt_id
    lines = [
        "+ holder_sbin_60 (SBIN, ₹30,000)",
        "+ cross_itc_60 (ITC, ₹30,000)",
        f"- holder_sbin_60 {GONE}; it holds 10 SBIN",
    ]
    assert weekend.audited() == lines
    assert weekend.told("next_day") == [f"next day: {line}" for line in lines]
    assert weekend.process.kill.latch is None


def test_a_broken_file_leaves_what_was_promoted_and_changed_code_stops_its_strategy_alone(weekend):
    with weekend.log.lock():
        put_promotion(weekend.log, [weekend.holder(), cross()])
    weekend.begin()
    weekend.until(FRIDAY, "15:30")
    assert set(weekend.slots) == {"holder_sbin_60", "cross_itc_60"}
    (weekend.log.state / FILE).write_text("[strategy")
    weekend.source.write_text(HOLDER + "# edited\n")

    weekend.until(MONDAY, "08:47")
    assert {name: bool(slot.stopped) for name, slot in weekend.slots.items()} == {
        "holder_sbin_60": True,
        "cross_itc_60": False,
    }
    assert "changed since it was promoted" in weekend.slots["holder_sbin_60"].stopped
    budgets = {name: int(each) for name, each in weekend.process.kernel.limits.budgets.items()}
    assert budgets == {"holder_sbin_60": 30_000_00, "cross_itc_60": 30_000_00}
    (alarm,) = [
        row
        for row in weekend.process.journal.load("events")
        if row["name"] == "next_day" and row["level"] == "alarm"
    ]
    assert "not TOML" in alarm["text"]
    assert "goes on with what was promoted before" in alarm["text"]
    standing(weekend.process.kernel)
    assert weekend.process.kill.latch is None
