"""What a mode makes of a broker and a feed: where orders go, who else hears the prices, what runs beside the desk."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import NamedTuple

from brokers.dry import DryBroker
from brokers.paper.broker import PaperBroker, Terms, World
from brokers.paper.simulation import Simulation
from brokers.shadow.broker import ShadowBroker
from brokers.shadow.pairs import Pair, summary
from brokers.tap import TappedFeed
from engine.market.calendar import ist_day
from engine.market.rules import venue_rules
from engine.ports import Broker, Feed
from engine.trading.board import RiskRow
from engine.trading.loop import Loop
from tui.market import Market
from tui.station import Station

MILLISECOND = 1_000_000

Beside = Callable[[Loop], Iterable[Coroutine[None, None, None]]]


class Trading(NamedTuple):
    """What the desk trades with in its mode."""

    broker: Broker
    feed: Feed
    beside: Beside
    throughout: Beside


def in_mode(station: Station, market: Market, world: World, *, lockstep: bool) -> Trading:
    """Return broker and feed of the station's mode."""
    if station.run.mode == "dry-run":
        return Trading(DryBroker(market.broker), market.feed, market.beside, market.throughout)
    if station.run.mode == "paper" or station.rerun is not None:
        return _paper(station, market, world, lockstep=lockstep)
    if station.run.mode == "shadow":
        return _shadow(station, market, world, lockstep=lockstep)
    return Trading(market.broker, market.feed, market.beside, market.throughout)


def _paper(station: Station, market: Market, world: World, *, lockstep: bool) -> Trading:
    broker = PaperBroker(market.broker, world, terms_of(station, lockstep=lockstep), stamped=not lockstep)
    feed = TappedFeed(market.feed, broker.frame)
    broker.hint = feed.hint
    return Trading(
        broker, feed, lambda loop: [*market.beside(loop), *([] if lockstep else broker.beside())], market.throughout
    )


def _shadow(station: Station, market: Market, world: World, *, lockstep: bool) -> Trading:
    terms = terms_of(station, lockstep=lockstep)

    def simulate(hear: Callable[[object], None]) -> Simulation:
        rules = venue_rules(ist_day(world.clock.now()), terms.latency)
        return Simulation(rules, terms.slippage_ticks, world.clock, hear, stamped=not lockstep)

    def show(pairs: Sequence[Pair]) -> None:
        told, board = summary(pairs), station.board.risk
        for name, text in (
            ("Twins compared", f"{told.both}"),
            ("Live only filled", f"{told.only_live}"),
            ("Twin only filled", f"{told.only_twin}"),
            ("Cost over twins", f"{told.cost:.2f}"),
            ("Delay over twins", "-" if told.delay_s is None else f"{told.delay_s:.1f} s"),
        ):
            board.put(name, RiskRow(name, text, "", -1.0, bad=False))

    broker = ShadowBroker(market.broker, world.clock, world.calendar, world.journal, simulate, show)
    feed = TappedFeed(market.feed, broker.frame)
    return Trading(
        broker, feed, lambda loop: [*market.beside(loop), *([] if lockstep else broker.beside())], market.throughout
    )


def terms_of(station: Station, *, lockstep: bool) -> Terms:
    """Return the configured terms of a simulated exchange; one that is stepped by hand answers at once."""
    paper = station.config.paper
    return Terms(paper.cash * 100, 0 if lockstep else paper.latency_ms * MILLISECOND, paper.slippage_ticks)
