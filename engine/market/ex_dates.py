"""What of the desk's own stands at a price, for the corporate actions of a day to be held against."""

from collections.abc import Iterable, Mapping

from compiled.ladder import Ladder
from compiled.model import Gtt, Instrument
from engine.market.actions import Standing
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


def _share(instrument: Instrument) -> str:
    return instrument.name if instrument.kind in DERIVATIVES else instrument.symbol
