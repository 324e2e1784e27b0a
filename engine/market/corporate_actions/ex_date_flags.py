"""Standing GTTs and open rungs, for the corporate actions of a day to be held against."""

from collections.abc import Iterable, Mapping
from datetime import date

from compiled.model.values import Gtt, Instrument
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Ladder
from engine.market.corporate_actions.action_list import ActionFlag, CorporateActions, StandingItem
from engine.market.instruments import DERIVATIVES


def standing_items(
    gtts: Iterable[Gtt], ladders: Iterable[Ladder], instruments: Mapping[int, Instrument]
) -> list[StandingItem]:
    """Return the live GTTs with their triggers, and the open rungs with stop and target.

    `instruments` are by token. A contract stands under the name of its share, whose actions change
    it too.
    """
    waiting = [
        StandingItem(
            f"GTT {gtt.gtt_id}",
            _share_symbol(instruments[gtt.token]),
            tuple(leg.trigger for leg in gtt.legs),
        )
        for gtt in gtts
        if gtt.live
    ]
    rungs = [(ladder, rung) for ladder in ladders for rung in ladder.rungs if rung.live]
    return waiting + [
        StandingItem(
            f"rung {rung.number} of ladder {ladder.ladder_id}",
            _share_symbol(ladder.instrument),
            tuple(price for price in (rung.stop, rung.target) if price > 0),
        )
        for ladder, rung in rungs
    ]


def flagged_lines(actions: CorporateActions, day: date, kernel: Kernel) -> tuple[str, ...]:
    """Return the effects of an ex-date's actions on what a desk has standing, a line each."""
    instruments = {int(each.token): each for each in kernel.view.instruments()}
    gtts = [gtt for gtt in kernel.order_store.gtts.values() if int(gtt.token) in instruments]
    closes = {each.symbol: each.close for each in instruments.values() if each.close > 0.0}
    waiting = standing_items(gtts, kernel.state.ladders.values(), instruments)
    return tuple(_flag_line(flag) for flag in actions.flags(day, waiting, closes))


def _flag_line(flag: ActionFlag) -> str:
    moved = " and ".join(f"{price:.2f}" for price in flag.prices)
    afterwards = f"; afterwards it would stand at {moved}" if moved else ""
    action = flag.action
    return (
        f"{action.symbol}, {action.kind.value} from today ({action.text}), {flag.what}: "
        f"{flag.consequence}{afterwards}"
    )


def _share_symbol(instrument: Instrument) -> str:
    return instrument.name if instrument.kind in DERIVATIVES else instrument.symbol
