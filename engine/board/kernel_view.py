"""The kernel's state on the board, for every screen; only changes cost anything."""

from collections import deque
from collections.abc import Collection, Iterable

from compiled.model.values import Bar, Gtt, Order, Tick
from compiled.trading.desk_state import DRY_RUN, InstrumentState
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Ladder, Rung, RungState, protected_quantity
from compiled.trading.order_store import BookedFill
from compiled.trading.risk import LIMITS, LimitUnit, UsageCensus
from engine.board_rows import (
    EXTERNAL,
    UNREADABLE,
    BarRow,
    BoardHeader,
    FillMark,
    FormingBar,
    GttRow,
    LadderRow,
    OrderRow,
    PositionRow,
    RiskRow,
    WatchRow,
)
from engine.board_writer import BoardWriter
from engine.manual.break_even import break_even, exit_charges
from engine.orders.gateway import OrderGateway
from engine.orders.order_texts import ORDER_TYPES
from engine.orders.records import split_legs

# Half an hour in one cell of the watch list.
SPARK = 30
# A session of 375 minutes, and the end of the one before.
BARS_KEPT = 400
STATES = {
    RungState.WAITING: "-",
    RungState.ENTERING: "entering",
    RungState.OPEN: "armed",
    RungState.EXITING: "triggered",
    RungState.CLOSED: "closed",
}


class KernelView:
    """Makes the board's rows of the kernel's state."""

    def __init__(
        self, writer: BoardWriter, kernel: Kernel, gateway: OrderGateway, stale_after: int
    ) -> None:
        self.writer = writer
        self.board = writer.board
        self.kernel = kernel
        self.gateway = gateway
        self.stale_after = stale_after
        self.hidden: Collection[int] = frozenset()
        """Tokens of what was taken off the watch: the kernel knows them, the board does not."""
        self._packets: dict[int, Tick] = {}
        """The last packet of each token, for the figures of the day that the kernel needs not."""
        self._versions: dict[int, tuple[int, bool]] = {}
        self._break_evens: dict[int, tuple[tuple[int, int, int], float]] = {}
        self._bars: dict[tuple[int, int], deque[BarRow]] = {}

    def put_order(self, order: Order) -> None:
        """Show one order as it stands."""
        symbol = self.kernel.view.instrument(order.token).symbol
        status = "CANCELLING" if order.cancelling else order.status.name.replace("_", " ")
        if order.reason.startswith(DRY_RUN):
            status = "NOT SENT"
        row = OrderRow(
            str(order.intent),
            order.created,
            symbol=symbol,
            side=order.side.name,
            quantity=order.quantity,
            filled=order.filled,
            price=order.price,
            average=order.average,
            kind=ORDER_TYPES[order.order_type],
            purpose=order.purpose.name,
            status=status,
            strategy=order.strategy,
            order_id=order.order_id,
            reason=order.reason,
            rung=str(order.rung) if order.rung else "",
        )
        self.writer.put(self.board.orders, row.key, row)

    def put_gtt(self, gtt: Gtt) -> None:
        """Show one GTT as it stands."""
        stop, target = split_legs(self.kernel, gtt, gtt.legs)
        status = "DELETING" if gtt.deleting else "MODIFYING" if gtt.pending else gtt.status.name
        row = GttRow(
            str(gtt.intent),
            gtt.created,
            changed=self.kernel.order_store.now,
            rung=str(gtt.rung),
            symbol=self.kernel.view.instrument(gtt.token).symbol,
            quantity=stop.quantity,
            stop=stop.trigger,
            target=target.trigger if target is not None else 0.0,
            status=status,
            gtt_id=gtt.gtt_id,
            reason=gtt.reason,
        )
        self.writer.put(self.board.gtts, row.key, row)

    def put_fill(self, fill: BookedFill) -> None:
        """Show one fill on the chart and in the log."""
        order = fill.order
        symbol = self.kernel.view.instrument(order.token).symbol
        self.writer.add_fill(
            FillMark(
                fill.ts,
                order.token,
                order.side.name,
                fill.price,
                fill.quantity,
                str(order.intent),
            )
        )
        verb = "bought" if order.side > 0 else "sold"
        self.writer.add_event(
            fill.ts,
            "fill",
            f"{symbol} {verb} {fill.quantity} at {fill.price:.2f} ({order.strategy})",
        )

    def take_ticks(self, ticks: Iterable[Tick]) -> None:
        """Keep the packets, whose figures of the day go into the watch list."""
        # A dict of the newest: a hundred nanoseconds a packet, whoever looks or not.
        packets = self._packets
        for tick in ticks:
            packets[tick.token] = tick

    def hide(self, tokens: Collection[int]) -> None:
        """Keep these off the watch list from now on, and only these."""
        self.hidden = tokens
        shown: set[object] = {row.token for row in self.board.watch.rows if row.token not in tokens}
        self.writer.keep(self.board.watch, shown)
        for token in tokens:
            self._versions.pop(token, None)

    def put_bars(self, bars: list[Bar]) -> None:
        """Show closed bars to the chart and the sparklines."""
        touched = set()
        for bar in bars:
            key = (bar.token, bar.span)
            kept = self._bars.setdefault(key, deque(maxlen=BARS_KEPT))
            kept.append(_bar_row(bar))
            touched.add(key)
        for key in touched:
            self.writer.put_bars(key, tuple(self._bars[key]))

    def kept_bars(self, token: int, span: int) -> list[Bar]:
        """Return the last closed bars of an instrument, oldest first."""
        return [
            Bar(
                token,
                row.start,
                span=span,
                open=row.open,
                high=row.high,
                low=row.low,
                close=row.close,
                volume=row.volume,
            )
            for row in self._bars.get((token, span), ())
        ]

    def publish(self, header: BoardHeader, census: UsageCensus) -> None:
        """Bring every section up to date; `census` is the use of the limits now."""
        now = header.now
        for market in self.kernel.state.markets.values():
            if not self.hidden or market.token not in self.hidden:
                self._publish_watch(market, now)
        self._publish_positions()
        self._publish_ladders()
        self._publish_externals()
        self._publish_risk(now, census)
        self._publish_forming()
        self.writer.replace_header(header)

    def _publish_forming(self) -> None:
        """Show each screen the bar that its chart looks at."""
        # One a screen: those of all that is watched would cost more than anybody reads.
        for focus in (self.board.focus, *self.board.lookers):
            token, span = focus.token, focus.span
            try:
                bar = self.kernel.market_feed.bars.current(token, span) if token else None
            # A screen may ask for whatever it likes: the day goes on.
            except ValueError:
                bar = None
            forming = FormingBar(token, span, _bar_row(bar)) if bar is not None else None
            self.writer.set_forming(focus, forming)

    def put_worry(self, name: str, count: int) -> None:
        """Show a count that had better be zero."""
        self._put_figure(name, str(count), bad=count > 0)

    def _publish_watch(self, market: InstrumentState, now: int) -> None:
        instrument = market.instrument
        quiet = not market.live or now - market.heard_at > self.stale_after
        stale = quiet and instrument.hours.is_trading(now)
        # Thousands may be watched, and few of them move within a frame.
        if self._versions.get(instrument.token) == (market.version, stale):
            return
        self._versions[instrument.token] = (market.version, stale)
        change = (
            (market.ltp / instrument.close - 1.0) * 100.0
            if instrument.close > 0 and market.ltp > 0
            else 0.0
        )
        minute = self.board.bars.get((instrument.token, 60), ())
        spark = tuple(bar.close for bar in minute[-SPARK:])
        packet = self._packets.get(instrument.token)
        row = WatchRow(
            instrument.token,
            instrument.symbol,
            ltp=market.ltp,
            change=change,
            bid=market.bid,
            ask=market.ask,
            volume=market.volume,
            ts=market.heard_at,
            stale=stale,
            spark=spark,
            tick=instrument.tick,
            kind=instrument.kind,
            exchange=instrument.exchange,
            open=packet.open if packet is not None else 0.0,
            high=packet.high if packet is not None else 0.0,
            low=packet.low if packet is not None else 0.0,
            average=packet.average_price if packet is not None else 0.0,
        )
        self.writer.put(self.board.watch, instrument.token, row)

    def _publish_positions(self) -> None:
        keys: set[object] = set()
        for ladder in self.kernel.state.ladders.values():
            last = self.kernel.state.markets[ladder.instrument.token].ltp
            for rung in ladder.rungs:
                if rung.quantity:
                    keys.add(rung.rung_id)
                    row = position_row(ladder, rung, last)._replace(
                        leaving=exit_charges(self.kernel, ladder, rung, last),
                        break_even=self._break_even(ladder, rung),
                    )
                    self.writer.put(self.board.positions, rung.rung_id, row)
        self.writer.keep(self.board.positions, keys)

    def _break_even(self, ladder: Ladder, rung: Rung) -> float:
        """Return where a rung is left without a loss; reckoned anew where something has traded."""
        # Ten frames a second of some hundred rungs: charges are not reckoned for nothing.
        traded = int(rung.bought), int(rung.sold), int(rung.charges)
        known = self._break_evens.get(rung.rung_id)
        if known is None or known[0] != traded:
            known = self._break_evens[rung.rung_id] = traded, break_even(self.kernel, ladder, rung)
        return known[1]

    def _publish_ladders(self) -> None:
        keys: set[object] = set()
        for ladder in self.kernel.state.ladders.values():
            keys.add(ladder.ladder_id)
            last = self.kernel.state.markets[ladder.instrument.token].ltp
            self.writer.put(self.board.ladders, ladder.ladder_id, ladder_row(ladder, last))
        self.writer.keep(self.board.ladders, keys)

    def _publish_externals(self) -> None:
        """Show foreign orders of the account; one that turns out to be ours moves there."""
        board, externals = self.board, self.kernel.order_reports.externals
        keys: set[object] = {"x" + order_id for order_id in externals}
        # An order turns out to be ours when its answer arrives after the book that listed it.
        if any(row.key not in keys for row in board.externals.rows):
            self.writer.keep(board.externals, keys)
            self.writer.keep(
                board.orders,
                {
                    row.key
                    for row in board.orders.rows
                    if row.strategy != EXTERNAL or row.key in keys
                },
            )
        for update in externals.values():
            market = self.kernel.state.markets.get(update.token)
            symbol = market.instrument.symbol if market else str(update.token)
            row = OrderRow(
                "x" + update.order_id,
                update.ts,
                symbol=symbol,
                side=update.side.name,
                quantity=update.quantity,
                filled=update.filled,
                price=update.price,
                average=update.average,
                kind="",
                purpose="",
                status=update.status.name.replace("_", " "),
                strategy=EXTERNAL,
                order_id=update.order_id,
                reason=update.reason,
            )
            self.writer.put(board.orders, row.key, row)
            self.writer.put(board.externals, row.key, row)

    def _publish_risk(self, now: int, census: UsageCensus) -> None:
        kernel, governor = self.kernel, self.gateway.governor
        naked = kernel.view.naked()
        for limit in LIMITS:
            if limit.title:
                money = limit.unit is LimitUnit.MONEY
                put = self._put_money_limit if money else self._put_count_limit
                put(limit.title, census.used(limit), kernel.limits.value_of(limit.name))
        self._put_count_limit(
            "Orders/s", governor.orders_last_second(now), governor.rates.orders_per_second
        )
        if kernel.order_store.most_gtts:
            self._put_count_limit(
                "GTTs", int(kernel.view.gtts_needed()), int(kernel.order_store.most_gtts)
            )
        self._put_count_limit("Orders today", governor.orders_today, governor.rates.orders_per_day)
        self._put_figure("Waiting", str(self.gateway.waiting), bad=False)
        self._put_figure(
            "Unknown", str(len(self.gateway.unresolved)), bad=bool(self.gateway.unresolved)
        )
        self._put_figure("Refused", str(kernel.state.refusal_count), bad=False)
        # Ignored ones are decided: they must not keep the pane red.
        stands = [row.kind for row in self.board.differences.rows if not row.ignored]
        self._put_figure(
            "Differences",
            "not compared" if UNREADABLE in stands else str(len(stands)),
            bad=bool(stands),
        )
        self._put_figure("Naked positions", str(naked), bad=naked > 0)

    def _put_money_limit(self, name: str, used: int, limit: int) -> None:
        """Show an amount of money against its limit, in rupees; the screen groups digits."""
        share = used / limit if limit else -1.0
        text = f"{used / 100:.2f}"
        row = RiskRow(name, text, f"{limit / 100:.0f}" if limit else "off", share, share >= 1.0)
        self.writer.put(self.board.risk, name, row)

    def _put_count_limit(self, name: str, used: int, limit: int) -> None:
        share = used / limit if limit else -1.0
        self.writer.put(
            self.board.risk,
            name,
            RiskRow(name, str(used), str(limit) if limit else "off", share, share >= 1.0),
        )

    def _put_figure(self, name: str, text: str, *, bad: bool) -> None:
        self.writer.put(self.board.risk, name, RiskRow(name, text, "", -1.0, bad))


def position_row(ladder: Ladder, rung: Rung, last: float) -> PositionRow:
    """Return one open rung as a row."""
    pnl = int(rung.pnl(ladder.sign, last))
    percent = pnl / int(rung.bought_value) * 100.0 if rung.bought_value else 0.0
    label = f"P{rung.number}" if len(ladder.rungs) > 1 else "-"
    return PositionRow(
        str(rung.rung_id),
        ladder.instrument.symbol,
        strategy=ladder.strategy,
        rung=label,
        quantity=int(ladder.sign * rung.quantity),
        average=rung.average,
        ltp=last,
        pnl=pnl,
        pnl_percent=percent,
        stop=rung.stop,
        target=rung.target,
        protected=int(protected_quantity(ladder, rung, last)),
        since=int(rung.opened),
        product=ladder.plan.product.name,
        ladder=str(ladder.ladder_id),
        trails=ladder.plan.trail,
        token=int(ladder.instrument.token),
    )


def ladder_row(ladder: Ladder, last: float) -> LadderRow:
    """Return one ladder as a row."""
    # Rungs that are closed or not entered yet have no stop that could be nearest.
    held = [rung for rung in ladder.rungs if rung.quantity]
    stops = [rung.stop for rung in held if rung.stop > 0]
    stop = (max(stops) if ladder.sign > 0 else min(stops)) if stops else 0.0
    distance = abs(last - stop) / last * 100.0 if stop and last else 0.0
    highs = [rung.high for rung in held if rung.high > 0]
    high = (max(highs) if ladder.sign > 0 else min(highs)) if highs else 0.0
    return LadderRow(
        str(ladder.ladder_id),
        ladder.instrument.symbol,
        strategy=ladder.strategy,
        rungs=tuple(STATES[rung.state] for rung in ladder.rungs),
        stop=stop,
        distance=distance,
        high=high,
        gtts=sum(1 for rung in held if rung.has_live_stop),
        trailed=int(sum(rung.trailed for rung in ladder.rungs)),
        product=ladder.plan.product.name,
        keys=tuple(str(rung.rung_id) for rung in ladder.rungs),
    )


def _bar_row(bar: Bar) -> BarRow:
    return BarRow(
        bar.start, bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume
    )
