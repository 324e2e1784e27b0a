"""What of the desk's own stands at a price, for the corporate actions of a day to be held against."""

from collections.abc import Iterable, Mapping
from datetime import date

from compiled.kernel import Kernel
from compiled.ladder import Ladder
from compiled.model import Gtt, Instrument
from engine.market.actions import Actions, Flag, Standing
from engine.market.instruments import DERIVATIVES


def standing(gtts: Iterable[Gtt], ladders: Iterable[Ladder], instruments: Mapping[int, Instrument]) -> list[Standing]:
    """Return the live GTTs with their triggers, and the open rungs with stop and target; `instruments` by token.

    A contract stands under the name of its share, whose actions change it too.
    """
    waiting = [
        Standing(f"GTT {gtt.gtt_id}", _share(instruments[gtt.token]), tuple(leg.trigger for leg in gtt.legs))
        for gtt in gtts
        if gtt.live
    ]
    rungs = [(ladder, rung) for ladder in ladders for rung in ladder.rungs if rung.live]
    return waiting + [
        Standing(
            f"rung {rung.number} of ladder {ladder.ladder_id}",
            _share(ladder.instrument),
            tuple(price for price in (rung.stop, rung.target) if price > 0),
        )
        for ladder, rung in rungs
    ]


def flagged(actions: Actions, day: date, kernel: Kernel) -> tuple[str, ...]:
    """Return what the actions of an ex-date do to what a desk has standing, a line each."""
    instruments = {token: market.instrument for token, market in kernel.markets.items()}
    gtts = [gtt for gtt in kernel.out.gtts.values() if int(gtt.token) in instruments]
    closes = {each.symbol: each.close for each in instruments.values() if each.close > 0.0}
    waiting = standing(gtts, kernel.ladders.values(), instruments)
    return tuple(_line(flag) for flag in actions.flags(day, waiting, closes))


def _line(flag: Flag) -> str:
    moved = " and ".join(f"{price:.2f}" for price in flag.prices)
    afterwards = f"; afterwards it would stand at {moved}" if moved else ""
    action = flag.action
    return (
        f"{action.symbol}, {action.kind.value} from today ({action.text}), {flag.what}: {flag.consequence}{afterwards}"
    )


def _share(instrument: Instrument) -> str:
    return instrument.name if instrument.kind in DERIVATIVES else instrument.symbol
