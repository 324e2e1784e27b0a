"""The loop over recorded bars, without the events that cannot have an effect (`docs/fills.md`).

It gives the commands, fills and digest that a kernel and a venue give when they are handed the four
points of every bar's path as ticks and a timer at its end.
"""

from typing import Final, final

from librt.strings import read_f64_le, read_i64_le
from librt.vecs import vec
from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates
from compiled.backtest.fast_path import BarePosition, FastPath
from compiled.backtest.recording import WORD, BarColumns, RecordedSessions
from compiled.backtest.session_loop import SessionLoop
from compiled.model.events import TimerEvent
from compiled.model.values import NEVER, SECOND, Bar, paise
from compiled.trading.desk_state import InstrumentState, StrategyState
from compiled.trading.kernel import Kernel
from compiled.trading.strategy import Strategy
from compiled.venue import intrabar
from compiled.venue.instrument_venue import InstrumentVenue
from compiled.venue.venue import SimulatedVenue

DAY: Final[i64] = 86_400


@final
class BarReplay(SessionLoop):
    """Bars of one span; strategies of that span get them as they are, longer ones are built."""

    def __init__(
        self,
        kernel: Kernel,
        venue: SimulatedVenue,
        bars: BarColumns,
        span: i64,
        sessions: RecordedSessions,
    ) -> None:
        super().__init__(kernel, venue, bars.tokens, sessions)
        self.bars = bars
        self.span = span
        # An entry asked for at a bar's end meets the next open at the earliest; a patience below
        # one bar would give it up before it could trade (rule 2).
        kernel.order_store.entry_patience = span * SECOND + 1
        self.builds_bars = False
        for slot in kernel.state.slots:
            if slot.span != span:
                self.builds_bars = True
        # By instrument: 1 where its path is walked this bar, 0 where it was taken in whole, -1
        # undecided.
        self.active_slots = vec[i64]([0 for _ in bars.tokens])
        self.turned_at: i64 = 0
        self.first: i64 = 0
        """Where the bars begin that are still to come, in bytes of a column."""
        self.no_listener = StrategyState(Strategy("", span), [])
        self.fast_path = FastPath(kernel, venue, self.markets, self.instrument_venues)
        if not (self.builds_bars or span == DAY or any(market.tickers for market in self.markets)):
            self.fast_path.take_over(kernel)

    def run(self, curve: bool) -> None:
        """Replay every bar."""
        if curve:
            self.reserve_curve(self.bars.moments)
        self.advance(self.bars.count, curve)
        self.finish()

    def turn_to(self, bars: BarColumns) -> None:
        """Go on with the bars that follow, from another start on, once all have been replayed."""
        self.bars = bars
        self.first = 0

    def reprice(self, rates: dict[int, ChargeRates]) -> None:
        """Charge by other rates from now on, bare positions too."""
        self.kernel.reprice(rates)
        self.fast_path.reprice()

    def finish(self) -> None:
        """End the session, and with it the replay."""
        self.fast_path.finish()
        self.end_session()
        self.collect_open_rungs()

    def advance(self, rows: i64, curve: bool) -> None:
        """Replay so many bars more, those of one start together.

        A curve wants `reserve_curve` before.
        """
        starts = self.bars.starts
        whole: i64 = self.bars.count * WORD
        first = self.first
        size = min(whole, first + rows * WORD)
        # Bars of one start are never parted: they share one moment, and one point of the curve.
        while 0 < size < whole and read_i64_le(starts, size) == read_i64_le(starts, size - WORD):
            size += WORD
        while first < size:
            if not self.builds_bars:
                first = self._run_single_instrument(first, size, curve)
                if first == size:
                    break
            start = read_i64_le(starts, first)
            # Waiting orders become objects first: they did not meet their open, and the end of the
            # session cancels them.
            if start >= self.close:
                index = self.sessions.find(start, at_close=False)
                self.fast_path.settle_waiting()
                self.end_session()
                self.begin_session(index)
                self.turned_at = self.sessions.opens[index]
            if start > self.turned_at:
                # nothing has traded for a while: longer bars that ended meanwhile are heard before
                # these begin
                self.fast_path.settle_waiting()
                self.send_commands(self.kernel.handle(TimerEvent(start)), start)
                self.deliver_reports(start)
            last = first + WORD
            while last < size and read_i64_le(starts, last) == start:
                last += WORD
            end = self.close if self.span == DAY else min(start + self.span * SECOND, self.close)
            # From the cheapest way to the dearest, each for the bars the one before had to leave.
            if not self._pass_bare_bars(first, last, start, end) and self._skip_idle_bars(
                first, last, end
            ):
                self._walk_paths(first, last, start, end)
            self._end_bars(first, last, start, end)
            self.turned_at = end
            if curve:
                self.add_curve_point(end, self.kernel.ledger.net)
            first = last
        self.first = first

    def _run_single_instrument(self, first: i64, size: i64, curve: bool) -> i64:
        """Take in one instrument's bars from here, none of which can meet an order.

        Only strategies' requests can follow from them. Return where they end: at another
        instrument, a pause or the close, or where something stands or was asked for.
        """
        # The way of a single instrument through a run of bars without an order at the exchange:
        # nothing happens between the closes, so the loop takes a bar with a few column reads and
        # leaves at the first bar that might differ (ADR 3).
        bars = self.bars
        starts, slots, volumes = bars.starts, bars.slots, bars.volumes
        opens, highs, lows, closes = bars.opens, bars.highs, bars.lows, bars.closes
        kernel = self.kernel
        out = kernel.order_store
        ledger = kernel.ledger
        span = self.span
        length = span * SECOND
        slot = read_i64_le(slots, first)
        market = self.markets[slot]
        floor = self.instrument_venues[slot]
        bare = self.fast_path
        line = bare.positions[slot]
        if floor.orders:
            return first
        alone = line.slot is not None
        listener = self.no_listener if line.slot is None else line.slot
        context = listener.context
        context.warming = False
        listens = alone and not listener.stopped
        followed = listener.follows.get(market.token)
        instrument = floor.instrument
        stands = len(floor.gtts) > 0
        token = market.token
        # With one instrument every row is its own, and the column of slots need not be read.
        solo = len(self.markets) == 1
        ladders = len(market.ladders) > 0
        limited = kernel.limits.halts
        day = self.day_volumes[slot]
        restless = (
            kernel.strategy_host.has_timers or kernel.state.halted or not kernel.state.clock_idle
        )
        watched = ladders or limited or restless  # something looks at every bar
        at = first
        valued = first  # the bars before it
        start = self.turned_at
        end = start + length
        last = self.close
        following = read_i64_le(starts, at)
        net: i64 = NEVER
        asked = False
        while (
            following == start
            and end <= last
            and market.idle_at_any_price
            and (solo or read_i64_le(slots, at) == slot)
        ):
            following = read_i64_le(starts, at + WORD) if at + WORD < size else NEVER
            # Another instrument has a bar of this start: both belong to one moment.
            if following == start:
                break
            begun = read_f64_le(opens, at)
            volume = read_i64_le(volumes, at)
            # Only our own waiting order may be in flight, as it trades with this open; one of
            # another instrument waits for a bar that is not in this run.
            if bare.sent > 0 and (
                line.sent == 0
                or bare.sent > 1
                or not bare.trade_at_open(line, start, begun, volume)
            ):
                break
            high = read_f64_le(highs, at)
            low = read_f64_le(lows, at)
            # A GTT within the range of the bar is met on its path.
            if stands and not intrabar.bar_touches_nothing(
                floor, instrument.ticks(low), instrument.ticks(high)
            ):
                break
            close = read_f64_le(closes, at)
            day += volume
            out.now = end
            market.ltp = close
            market.last = close
            market.volume = day
            market.heard_at = end - 1
            if ladders:
                kernel.market_feed.skip_bar_path(
                    end - 1, market, high=high, low=low, close=close, volume=day, points=0
                )
            else:
                line.note_high(high)
            if listens and (followed is None or followed.step(high, low, close, float(volume))):
                context.now = end
                asked = kernel.strategy_host.call_bar(
                    listener,
                    context,
                    Bar(
                        token,
                        start,
                        span=span,
                        open=begun,
                        high=high,
                        low=low,
                        close=close,
                        volume=volume,
                        ticks=intrabar.POINTS,
                    ),
                )
            elif not alone and market.listeners:
                kernel.strategy_host.show_bar_to_listeners(
                    market,
                    Bar(
                        token,
                        start,
                        span=span,
                        open=begun,
                        high=high,
                        low=low,
                        close=close,
                        volume=volume,
                        ticks=intrabar.POINTS,
                    ),
                )
                asked = True
            # Values are brought up to date only before something reads them: a request, a limit, a
            # clock. Between those a row is valued at once.
            if asked or watched:
                self._value_bare_position(
                    line, valued, to=at, until=start, ladders=ladders, curve=curve
                )
                valued = at + WORD
                self._value_bare_position(
                    line, at, to=valued, until=end, ladders=ladders, curve=False
                )
                if restless or asked or (limited and ledger.net != net):
                    kernel.turn_clock()
                    restless = (
                        kernel.strategy_host.has_timers
                        or kernel.state.halted
                        or not kernel.state.clock_idle
                    )
                    watched = ladders or limited or restless
                    listens = alone and not listener.stopped
                    asked = len(out.commands) > 0
                net = ledger.net
                if curve and not asked:
                    self.add_curve_point(end, net)
            at += WORD
            start = end
            end += length
            if asked:
                break
        # What the long way would have counted and set bar by bar, once for the row: the state after
        # it is the same, and so is the digest.
        if at > first:
            self._value_bare_position(
                line, valued, to=at, until=start, ladders=ladders, curve=curve
            )
            count = (at - first) // WORD
            kernel.state.bar_count += count
            kernel.state.tick_count += count * intrabar.POINTS
            market.version += count * intrabar.POINTS
            market.bid = 0.0
            market.ask = 0.0
            market.live = True
            close = read_f64_le(closes, at - WORD)
            if market.held is not None:
                ledger.revalue(market.held, close)
            self.day_volumes[slot] = day
            floor.close = close
            self.turned_at = start
            if asked:
                self._pass_on_commands(start)
                if curve:
                    self.add_curve_point(start, kernel.ledger.net)
        return at

    def _value_bare_position(
        self, line: BarePosition, at: i64, to: i64, until: i64, ladders: bool, curve: bool
    ) -> None:
        """Value a bare position at the close of each bar of a row, and draw the curve.

        The last of the row ends at `until`.
        """
        if at == to:
            return
        kernel = self.kernel
        ledger = kernel.ledger
        closes = self.bars.closes
        length = self.span * SECOND
        net = ledger.net
        top = net
        # P&L is linear in the price of one position: the rest of the account is one constant beside
        # it.
        shares: i64 = 0
        beside: i64 = 0
        position = line.position
        if position is not None and not ladders:
            shares = position.quantity
            beside = net - position.marked - position.value
        if shares != 0:
            top = -NEVER  # what stands in the books is the price of a fill
        times = self.times
        equity = self.equity
        point = self.points
        end = until - (to - at) // WORD * length
        while at < to:
            if shares != 0:
                net = beside + paise(read_f64_le(closes, at), shares)
                top = max(top, net)
            at += WORD
            end += length
            if curve:
                times[point] = end
                equity[point] = net
                point += 1
        self.points = point
        if shares != 0:
            self.fast_path.value_position(line, read_f64_le(closes, to - WORD))
        kernel.state.peak = max(kernel.state.peak, top - kernel.state.net_at_open)

    def _pass_bare_bars(self, first: i64, last: i64, start: i64, end: i64) -> bool:
        """Take in the bars if nothing of ours stands at the exchange.

        Bare positions trade at the open where they wait for it.

        Return False, with nothing taken in, where an order can't trade whole, or waits for another
        bar.
        """
        kernel = self.kernel
        bare = self.fast_path
        if not bare.enabled or kernel.state.ladders:
            return False
        slots, opens, volumes = self.bars.slots, self.bars.opens, self.bars.volumes
        highs, closes = self.bars.highs, self.bars.closes
        lines, days = bare.positions, self.day_volumes
        # Checked before anything is taken in: a return after half of the instruments would take the
        # others in twice.
        waits = bare.sent
        at = first
        while waits > 0 and at < last:
            line = lines[read_i64_le(slots, at)]
            if line.sent != 0 and bare.trades_whole(
                line, read_f64_le(opens, at), read_i64_le(volumes, at)
            ):
                waits -= 1
            at += WORD
        if waits > 0:
            bare.settle_waiting()
            return False
        at = first
        while at < last:
            slot = read_i64_le(slots, at)
            volume = read_i64_le(volumes, at)
            close = read_f64_le(closes, at)
            line = lines[slot]
            market = line.market
            if line.sent != 0:
                bare.trade_at_open(line, start, read_f64_le(opens, at), volume)
            days[slot] += volume
            market.ltp = close
            market.last = close
            market.bid = 0.0
            market.ask = 0.0
            market.volume = days[slot]
            market.heard_at = end - 1
            market.live = True
            market.version += intrabar.POINTS
            line.instrument_venue.close = close
            if line.position is not None:
                line.note_high(read_f64_le(highs, at))
                bare.value_position(line, close)
            elif market.held is not None:
                kernel.ledger.revalue(market.held, close)
            at += WORD
        kernel.state.tick_count += (last - first) // WORD * intrabar.POINTS
        return True

    def _skip_idle_bars(self, first: i64, last: i64, end: i64) -> bool:
        """Take in the bars that nothing can come of.

        Return whether there are others, marked in `active_slots`.

        While one is awake that may enter on its way, so is every instrument with a position: the
        limits on an entry look at all their prices.
        """
        bars = self.bars
        awake = self.active_slots
        alone = last == first + WORD
        some = False
        entering = False
        drowsy = False
        at = first
        while at < last:
            slot = read_i64_le(bars.slots, at)
            market = self.markets[slot]
            floor = self.instrument_venues[slot]
            # An instrument without a ladder is asleep whatever the others do: no limit looks at its
            # price.
            if (
                market.idle_at_any_price
                and not floor.orders
                and not floor.gtts
                and (alone or not market.ladders)
            ):
                awake[slot] = 0
                self._skip_bar(
                    at, slot, market=market, floor=floor, end=end, points=intrabar.POINTS
                )
            elif self._is_bar_idle(at, market, floor):
                # With a ladder it sleeps only if no other may enter: checks on an entry count its
                # value at the price of that very point.
                awake[slot] = -1
                drowsy = True
            else:
                awake[slot] = 1
                some = True
                entering = entering or self.kernel.market_feed.may_enter(market)
            at += WORD
        at = first
        while drowsy and at < last:
            slot = read_i64_le(bars.slots, at)
            if awake[slot] < 0:
                awake[slot] = 1 if entering else 0
                if not entering:
                    self._skip_bar(
                        at,
                        slot,
                        market=self.markets[slot],
                        floor=self.instrument_venues[slot],
                        end=end,
                        points=intrabar.POINTS,
                    )
            at += WORD
        return some

    def _is_bar_idle(self, at: i64, market: InstrumentState, floor: InstrumentVenue) -> bool:
        feed = self.kernel.market_feed
        high = read_f64_le(self.bars.highs, at)
        low = read_f64_le(self.bars.lows, at)
        # Each ladder looks at one extreme alone, so between two idle bars every price is idle.
        if high > market.idle_high or low < market.idle_low:
            if not market.idle_at_any_price:
                market.idle_at_any_price = feed.is_idle_at_any_price(market)
            if not feed.is_idle_between(market, high, low):
                return False
            market.note_idle(high, low)
        if not floor.orders and not floor.gtts:
            return True
        return intrabar.bar_touches_nothing(
            floor, floor.instrument.ticks(high), floor.instrument.ticks(low)
        )

    def _skip_bar(
        self,
        at: i64,
        slot: i64,
        market: InstrumentState,
        floor: InstrumentVenue,
        end: i64,
        points: i64,
    ) -> None:
        bars = self.bars
        close = read_f64_le(bars.closes, at)
        self.day_volumes[slot] += read_i64_le(bars.volumes, at)
        high = read_f64_le(bars.highs, at) if market.ladders else close
        low = read_f64_le(bars.lows, at) if market.ladders else close
        self.kernel.market_feed.skip_bar_path(
            end - 1,
            market,
            high=high,
            low=low,
            close=close,
            volume=self.day_volumes[slot],
            points=points,
        )
        floor.note_price(close)

    def _walk_paths(self, first: i64, last: i64, start: i64, end: i64) -> None:
        """Walk the paths of all bars that are awake, point by point.

        A single one may fall asleep after the open.
        """
        alone = last == first + WORD
        for k in range(intrabar.POINTS):
            # Many orders meet the open and are gone: the rest of the path then meets nothing.
            if k == 1 and alone:
                slot = read_i64_le(self.bars.slots, first)
                if self._is_bar_idle(first, self.markets[slot], self.instrument_venues[slot]):
                    self._skip_bar(
                        first,
                        slot,
                        market=self.markets[slot],
                        floor=self.instrument_venues[slot],
                        end=end,
                        points=intrabar.POINTS - 1,
                    )
                    return
            ts = intrabar.path_time(k, start, end)
            at = first
            while at < last:
                slot = read_i64_le(self.bars.slots, at)
                if self.active_slots[slot]:
                    self._step_path(k, at, slot, ts)
                at += WORD

    def _step_path(self, k: i64, at: i64, slot: i64, ts: i64) -> None:
        bars = self.bars
        floor = self.instrument_venues[slot]
        instrument = floor.instrument
        begun = read_f64_le(bars.opens, at)
        high = read_f64_le(bars.highs, at)
        low = read_f64_le(bars.lows, at)
        volume = read_i64_le(bars.volumes, at)
        to_low = intrabar.low_first(instrument, begun, high, low)
        price = intrabar.path_point(
            k, to_low, open=begun, high=high, low=low, close=read_f64_le(bars.closes, at)
        )
        if k == 0:
            intrabar.begin_bar(
                floor,
                ts,
                open=instrument.ticks(begun),
                high=instrument.ticks(high),
                low=instrument.ticks(low),
                volume=volume,
            )
        else:
            intrabar.walk_to(floor, ts, instrument.ticks(price))
        # The bar's volume is known at its end only; earlier it would be knowledge of the future.
        if k == intrabar.POINTS - 1:
            self.day_volumes[slot] += volume
        self.send_commands(
            self.kernel.market_feed.step_bar_price(
                ts, self.markets[slot], price, self.day_volumes[slot]
            ),
            ts,
        )
        self.deliver_reports(ts)

    def _end_bars(self, first: i64, last: i64, start: i64, end: i64) -> None:
        """End the bars: strategies get them, the clock turns, and requests are passed on."""
        kernel = self.kernel
        kernel.order_store.begin_moment(end)
        if self.builds_bars:
            self._build_longer_bars(first, last, start, end)
        else:
            self._show_bars(first, last, start)
        kernel.turn_clock()
        if kernel.order_store.commands:
            self._pass_on_commands(end)

    def _pass_on_commands(self, end: i64) -> None:
        self.send_commands(self.kernel.order_store.commands, end)
        self.deliver_reports(end)
        self.forget_changes()

    def _show_bars(self, first: i64, last: i64, start: i64) -> None:
        kernel = self.kernel
        slots, volumes = self.bars.slots, self.bars.volumes
        opens, highs, lows, closes = (
            self.bars.opens,
            self.bars.highs,
            self.bars.lows,
            self.bars.closes,
        )
        lines, span = self.fast_path.positions, self.span
        at = first
        while at < last:
            line = lines[read_i64_le(slots, at)]
            market = line.market
            if market.listeners:
                bar = Bar(
                    market.token,
                    start,
                    span=span,
                    open=read_f64_le(opens, at),
                    high=read_f64_le(highs, at),
                    low=read_f64_le(lows, at),
                    close=read_f64_le(closes, at),
                    volume=read_i64_le(volumes, at),
                    ticks=intrabar.POINTS,
                )
                listener = line.slot
                if listener is None:
                    kernel.strategy_host.show_bar_to_listeners(market, bar)
                elif not listener.stopped:
                    kernel.strategy_host.show_bar(listener, bar)
            at += WORD
        kernel.state.bar_count += (last - first) // WORD

    def _build_longer_bars(self, first: i64, last: i64, start: i64, end: i64) -> None:
        bars = self.bars
        kernel = self.kernel
        at = first
        while at < last:
            slot = read_i64_le(bars.slots, at)
            instrument = self.markets[slot].instrument
            token = instrument.token
            begun = read_f64_le(bars.opens, at)
            high = read_f64_le(bars.highs, at)
            low = read_f64_le(bars.lows, at)
            close = read_f64_le(bars.closes, at)
            # The four points of the path stand for the ticks; the volume comes with the last.
            before = self.day_volumes[slot] - read_i64_le(bars.volumes, at)
            to_low = intrabar.low_first(instrument, begun, high, low)
            for k in range(intrabar.POINTS):
                volume = self.day_volumes[slot] if k == intrabar.POINTS - 1 else before
                price = intrabar.path_point(k, to_low, open=begun, high=high, low=low, close=close)
                kernel.market_feed.bars.update(
                    token, intrabar.path_time(k, start, end), price, volume
                )
            at += WORD
        kernel.market_feed.bars.advance(end)
        kernel.market_feed.show_closed_bars()
