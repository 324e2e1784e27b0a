"""Market data: quotes, bars and the feed's state, shown to strategies and ladders."""

from typing import final

from mypy_extensions import i64

from compiled.market_data.bar_builder import BarBuilder
from compiled.market_data.tick_filter import TickFilter
from compiled.model.events import BandUpdate, FeedStatus, KernelCommand
from compiled.model.int_map import IntMap
from compiled.model.values import Bar, Instrument, Side, Tick
from compiled.trading.desk_state import DeskState, InstrumentState
from compiled.trading.ladder import RungState, raise_high
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_entry import OrderEntry
from compiled.trading.order_store import OrderStore
from compiled.trading.protection import is_idle, is_idle_at_any_price
from compiled.trading.strategy_host import StrategyHost


@final
class MarketFeed:
    """Takes in the feed, tick by tick; `grace` (ns) is how long a bar waits for late ones."""

    def __init__(
        self,
        state: DeskState,
        out: OrderStore,
        ladder_book: LadderBook,
        order_entry: OrderEntry,
        strategy_host: StrategyHost,
        spans: list[int],
        grace: i64,
    ) -> None:
        self.state = state
        self.order_store = out
        self.ladder_book = ladder_book
        self.order_entry = order_entry
        self.strategy_host = strategy_host
        self.grace = grace
        self.bars = BarBuilder(spans)
        self.closed_bars: list[Bar] = []
        self.tick_filter: TickFilter | None = None
        """Keeps out what cannot be true, where that has been handed in."""
        self._instruments: IntMap[Instrument] = IntMap()
        for token, market in state.markets.items():
            self._instruments[token] = market.instrument

    def add_instrument(self, instrument: Instrument) -> None:
        """Take in ticks of one more instrument, and build its bars in its hours."""
        self._instruments[instrument.token] = instrument
        self.bars.set_hours(instrument.token, instrument.hours)

    def take_ticks(self, ticks: list[Tick]) -> None:
        """Take in ticks, without those that cannot be true."""
        # Before anything else sees them: one impossible price could trigger stops and entries
        # alike.
        if self.tick_filter is not None:
            ticks = self.tick_filter.sift_ticks(
                ticks, self._instruments, self.order_store.now, self.state.today
            )
        for tick in ticks:
            self.take_tick(tick)

    def close_bars(self) -> None:
        """Close the bars whose time is over, and show them."""
        # Less the grace: the feed's last ticks of a bar come a second or two after its end.
        self.bars.advance(self.order_store.now - self.grace)
        self.show_closed_bars()

    def take_tick(self, tick: Tick) -> None:
        """Take in a tick that may be true."""
        market = self.state.markets.get(int(tick.token))
        if market is None:
            return
        if not tick.traded_since(self.state.today):
            self.note_untraded_quote(market, tick.ltp, tick.bid, tick.ask, tick.volume)
            return
        self.update_quote(market, tick.ltp, tick.bid, tick.ask, tick.volume)
        if self.state.late_after > 0:
            self._update_stamp(market, tick.ts)
        self._build_bars(market, tick.ts, tick.ltp, tick.volume)
        for slot in market.tickers:
            if not slot.stopped:
                self.strategy_host.call_tick(slot, tick)
        # A late price moves no stop and enters no rung: where the market is by now is not known.
        if market.ladders and not market.is_late:
            self._follow_price(market)

    def note_untraded_quote(
        self, market: InstrumentState, ltp: float, bid: float, ask: float, volume: i64
    ) -> None:
        """Take in a packet whose last price is of an earlier day.

        It values positions, and nothing else goes by it.
        """
        self.update_quote(market, ltp, bid, ask, -1)
        market.untraded = True
        if volume == 0:
            if market.bar_block < 0:
                market.bar_block = self.bars.token_block(market.token)
            self.bars.note_untraded(market.bar_block)

    def update_quote(
        self, market: InstrumentState, ltp: float, bid: float, ask: float, volume: i64
    ) -> None:
        """Take in an instrument's prices in rupees (0.0: none) and day's volume (-1: unknown)."""
        self.state.tick_count += 1
        market.ltp = ltp
        market.last = ltp
        market.bid = bid
        market.ask = ask
        if volume >= 0:
            market.volume = volume
        market.heard_at = self.order_store.now
        market.live = True
        market.untraded = False
        market.version += 1
        if market.held is not None or market.ladders:
            self._value_holding(market)

    def _update_stamp(self, market: InstrumentState, ts: i64) -> None:
        """Take in the exchange's stamp of a packet.

        An old one is no price to enter at, or to move a stop by.
        """
        lag = self.order_store.now - ts
        market.is_late = lag > self.state.late_after
        # not what was sent of an earlier state when the connection was made
        if 0 < market.stamp < ts:
            market.lag = lag
        market.stamp = max(market.stamp, ts)

    def _value_holding(self, market: InstrumentState) -> None:
        """Value the positions of an instrument at its last price."""
        if market.held is None:
            market.held = self.state.ledger.held(market.token)
        if market.held is not None:
            self.state.ledger.revalue(market.held, market.ltp)

    def _build_bars(self, market: InstrumentState, ts: i64, ltp: float, volume: i64) -> None:
        """Make bars of a price, and show those it closes."""
        if market.bar_block < 0:
            market.bar_block = self.bars.token_block(market.token)
        self.bars.add_tick(market.bar_block, ts, ltp, volume)
        self.show_closed_bars()

    def show_closed_bars(self) -> None:
        """Show the bars that have closed to the strategies."""
        if not self.bars.has_closed_bars:
            return
        for bar in self.bars.take_bars():
            self.state.bar_count += 1
            self.closed_bars.append(bar)
            market = self.state.markets.get(int(bar.token))
            if market is not None:
                self.strategy_host.show_bar_to_listeners(market, bar)

    def _follow_price(self, market: InstrumentState) -> None:
        ltp = market.ltp
        # A copy only where the list may shrink while it is walked: most instruments have one
        # ladder.
        for ladder in market.ladders if len(market.ladders) == 1 else list(market.ladders):
            # Before the look: a new high may be just what moves the stop.
            raise_high(ladder, ltp)
            if is_idle(ladder, ltp, ltp):
                continue
            if not ladder.leaving and not self.state.halted:
                waiting = ladder.next_rung(ltp)
                # Why it may not is on record with the stop; a refusal of each rung would drown it.
                if (
                    waiting is not None
                    and self.order_store.now >= waiting.retry_at
                    and not self.state.is_stopped_by_hand(ladder.strategy)
                ):
                    self.order_entry.enter_next_rung(market, ladder, waiting)
            self.ladder_book.tend_ladder(ladder)

    def apply_feed_status(self, event: FeedStatus) -> None:
        """Take note of instruments that the feed has lost, or has again."""
        for market in self.state.markets.values():
            if event.token == 0 or market.instrument.token == event.token:
                market.live = event.live
                # What a new connection sends first is a state, not news: its age says nothing about
                # the feed.
                market.stamp = 0
                market.lag = 0

    def apply_band_update(self, event: BandUpdate) -> None:
        """Keep prices to the band as it stands now, those of stops that stand already included."""
        market = self.state.markets.get(int(event.token))
        if market is None:
            return
        market.instrument.lower = event.lower
        market.instrument.upper = event.upper
        for ladder in list(market.ladders):
            for rung in ladder.rungs:
                # A limit that could fill on the old band may lie off the new one.
                rung.needs_refit = True
            self.ladder_book.tend_ladder(ladder)

    # recorded market data (compiled/backtest): what ticks do, without an event for each

    def step_bar_price(
        self, ts: i64, market: InstrumentState, ltp: float, volume: i64
    ) -> list[KernelCommand]:
        """Take in one price of a bar's path, as a tick would be.

        The bar itself comes whole, through `show_bar_to_listeners`.
        """
        self.order_store.begin_moment(ts)
        self.update_quote(market, ltp, 0.0, 0.0, volume)
        if market.tickers:
            tick = Tick(market.instrument.token, ts, ltp, volume)
            for slot in market.tickers:
                if not slot.stopped:
                    self.strategy_host.call_tick(slot, tick)
        if market.ladders:
            self._follow_price(market)
        return self.order_store.commands

    def step_tick(
        self, market: InstrumentState, ts: i64, ltp: float, bid: float, ask: float, volume: i64
    ) -> None:
        """Take in a tick, stamped `ts`, for an instrument whose strategies follow bars only."""
        self.update_quote(market, ltp, bid, ask, volume)
        if self.state.late_after > 0:
            self._update_stamp(market, ts)
        self._build_bars(market, ts, ltp, volume)
        if market.ladders and not market.is_late:
            if not market.idle_at_any_price:
                market.idle_at_any_price = self.is_idle_at_any_price(market)
            if market.idle_at_any_price:
                for ladder in market.ladders:
                    raise_high(ladder, ltp)
            else:
                self._follow_price(market)

    def is_idle_between(self, market: InstrumentState, high: float, low: float) -> bool:
        """Return whether a bar between these prices has no effect on an instrument's ladders."""
        for ladder in market.ladders:
            if not is_idle(ladder, high, low):
                return False
        return not market.tickers

    def is_idle_at_any_price(self, market: InstrumentState) -> bool:
        """Return whether no price has an effect on an instrument's ladders, until one changes."""
        for ladder in market.ladders:
            if not is_idle_at_any_price(ladder):
                return False
        return not market.tickers

    def may_enter(self, market: InstrumentState) -> bool:
        """Return whether a price of an instrument may bring an entry.

        It may where a rung waits, or a strategy follows ticks.
        """
        for ladder in market.ladders:
            for rung in ladder.rungs:
                if rung.state is RungState.WAITING:
                    return True
        return len(market.tickers) > 0

    def skip_bar_path(
        self,
        ts: i64,
        market: InstrumentState,
        high: float,
        low: float,
        close: float,
        volume: i64,
        points: i64,
    ) -> None:
        """Take in the path of a bar, or its last points, which an instrument `is_idle_between`."""
        self.state.tick_count += points
        market.version += points
        market.ltp = close
        market.last = close
        market.bid = 0.0
        market.ask = 0.0
        market.volume = volume
        market.heard_at = ts
        market.live = True
        if market.held is not None or market.ladders:
            self._value_holding(market)
            for ladder in market.ladders:
                raise_high(ladder, high if ladder.side is Side.BUY else low)
