"""Adapters of a mode between desk, broker and feed.

They decide where orders go, which parts get the prices, and what runs beside the desk.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import NamedTuple

from brokers.dry_broker import DryBroker
from brokers.paper.paper_broker import PaperBroker, PaperTerms, PaperWorld
from brokers.paper.simulated_exchange import SimulatedExchange
from brokers.shadow.order_pairs import OrderPair, shadow_summary
from brokers.shadow.shadow_broker import ShadowBroker
from engine.board_rows import RiskRow
from engine.day.day_loop import DayLoop
from engine.market.calendar import ist_day
from engine.market.order_rules import venue_rules
from engine.ports import Broker, Feed
from strategies import failure_text
from strategies.replaced_models import paper_slippage
from tui.run.feed import MarketConnection
from tui.run.session import DeskSession
from tui.run.tapped_feed import TappedFeed

MILLISECOND = 1_000_000

Beside = Callable[[DayLoop], Iterable[Coroutine[None, None, None]]]


class ModeAdapters(NamedTuple):
    """The desk's broker and feed in its mode."""

    broker: Broker
    feed: Feed
    beside: Beside
    throughout: Beside


def adapters_for_mode(
    station: DeskSession, market: MarketConnection, world: PaperWorld, *, lockstep: bool
) -> ModeAdapters:
    """Return broker and feed of the station's mode."""
    if station.run.mode == "dry-run":
        return ModeAdapters(DryBroker(market.broker), market.feed, market.beside, market.throughout)
    # a recording has no exchange that would take an order: it is filled as on paper
    if station.run.mode == "paper" or station.rerun is not None:
        return _paper_adapters(station, market, world, lockstep=lockstep)
    if station.run.mode == "shadow":
        return _shadow_adapters(station, market, world, lockstep=lockstep)
    return ModeAdapters(market.broker, market.feed, market.beside, market.throughout)


def _paper_adapters(
    station: DeskSession, market: MarketConnection, world: PaperWorld, *, lockstep: bool
) -> ModeAdapters:
    broker = PaperBroker(
        market.broker, world, paper_terms(station, lockstep=lockstep), stamped=not lockstep
    )
    feed = TappedFeed(market.feed, broker.take_ticks)
    # a simulated fill reaches the desk the way an order update of the broker would
    broker.hint = feed.hint
    return ModeAdapters(
        broker,
        feed,
        lambda loop: [*market.beside(loop), *([] if lockstep else broker.beside())],
        market.throughout,
    )


def _shadow_adapters(
    station: DeskSession, market: MarketConnection, world: PaperWorld, *, lockstep: bool
) -> ModeAdapters:
    terms = paper_terms(station, lockstep=lockstep)

    def simulate(hear: Callable[[object], None]) -> SimulatedExchange:
        rules = venue_rules(ist_day(world.clock.now()), terms.latency)
        return SimulatedExchange(rules, terms.slippage, world.clock, hear, stamped=not lockstep)

    def show(pairs: Sequence[OrderPair]) -> None:
        told, board = shadow_summary(pairs), station.board.risk
        for name, text in (
            ("Twins compared", f"{told.both}"),
            ("Live only filled", f"{told.only_live}"),
            ("Twin only filled", f"{told.only_twin}"),
            ("Cost over twins", f"{told.cost:.2f}"),
            ("Delay over twins", "-" if told.delay_s is None else f"{told.delay_s:.1f} s"),
        ):
            # -1.0: there is no limit, and so no bar
            board.put(name, RiskRow(name, text, "", -1.0, bad=False))

    broker = ShadowBroker(
        market.broker,
        world.clock,
        calendar=world.calendar,
        journal=world.journal,
        simulate=simulate,
        show=show,
    )
    feed = TappedFeed(market.feed, broker.take_ticks)
    return ModeAdapters(
        broker,
        feed,
        lambda loop: [*market.beside(loop), *([] if lockstep else broker.beside())],
        market.throughout,
    )


def paper_terms(station: DeskSession, *, lockstep: bool) -> PaperTerms:
    """Return the terms of a simulated exchange; one stepped by hand answers at once."""
    paper = station.config.paper
    return PaperTerms(
        cash=paper.cash * 100,
        latency=0 if lockstep else paper.latency_ms * MILLISECOND,
        slippage=paper_slippage(
            paper.slippage, paper.slippage_ticks, part_fault(station, "Slippage model")
        ),
    )


def part_fault(station: DeskSession, name: str) -> Callable[[BaseException], None]:
    """Return what shows that a part of the author's own has failed; what is usual counts then."""
    risk = station.board.risk

    # Parts are called where orders are filled and charged: on the engine's own thread.
    def show(error: BaseException) -> None:
        risk.put(name, RiskRow(name, failure_text(error), "", -1.0, bad=True))

    return show
