"""A desk without an engine: a plausible board that moves by `step()`, the same way every time."""

import math
import random
from pathlib import Path

from compiled.model.values import Instrument
from engine.board_rows import (
    BarRow,
    Board,
    DayTrades,
    DecisionRow,
    DepthRow,
    DifferenceRow,
    EventRow,
    FailureRow,
    FeedRow,
    FillMark,
    GovernorState,
    KillRow,
    LadderRow,
    LatencyRow,
    LimitRow,
    OrderRow,
    ParameterRow,
    PositionRow,
    PulseRow,
    QueueRow,
    RiskRow,
    StrategyRow,
    TapeRow,
    TradeRow,
    TripRow,
    WatchRow,
)
from engine.errors import DataError
from engine.market.instrument_search import InstrumentSearch
from engine.system.latency_book import STEPS
from engine.system.latency_histogram import OCTAVES
from tui.attach.screen_standing import ScreenStanding

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_784_017_800 * SECOND + 32 * MINUTE + 7 * SECOND
"""Tue 14 July 2026, 14:32:07 IST."""

NAMES = (
    ("RELIANCE", 1412.35),
    ("HDFCBANK", 1988.10),
    ("INFY", 1624.55),
    ("TCS", 3391.20),
    ("ICICIBANK", 1441.75),
    ("SBIN", 812.40),
    ("BHARTIARTL", 1932.60),
    ("ITC", 418.25),
    ("LT", 3608.90),
    ("AXISBANK", 1174.05),
    ("KOTAKBANK", 2187.30),
    ("MARUTI", 12641.00),
    ("SUNPHARMA", 1688.45),
    ("TATAMOTORS", 688.15),
    ("BAJFINANCE", 934.70),
    ("ASIANPAINT", 2441.80),
    ("HINDUNILVR", 2514.95),
    ("TITAN", 3423.65),
    ("M&M", 3184.20),
    ("NIFTY26JULFUT", 25642.40),
)

OPEN = (
    ("RELIANCE", "P1", 75, 1398.20),
    ("RELIANCE", "P2", 50, 1404.60),
    ("RELIANCE", "P3", 25, 1409.10),
    ("INFY", "P1", 60, 1637.40),
    ("INFY", "P2", 40, 1630.15),
    ("SBIN", "P1", 140, 803.35),
    ("BHARTIARTL", "P1", 45, 1921.80),
    ("TITAN", "P1", 30, 3438.20),
)


class FakeDesk:
    """A `DeskPort` that records what it was asked."""

    spans = (60, 300, 900)
    standing = ScreenStanding()
    replay = None

    @property
    def moment(self):
        return None if self.replay is None else self.replay.status()

    def __init__(self, mode="SANDBOX", symbols=20, seed=7):
        self.board = Board(mode)
        self.kills = []
        self.resumed = []
        self.commands = []
        self.kept = []
        self.outcomes = {}
        self.stopped = False
        self.now = START
        self.steps = 0
        self._random = random.Random(seed)
        self._prices = dict(NAMES)
        self._sparks = {}
        self._build(symbols)

    def kill(self, flatten, reason):
        self.kills.append((flatten, reason))
        self.board.header = self.board.header._replace(
            kill="flatten" if flatten else "halt", kill_reason=reason
        )

    def trace(self, key):
        if key == "missing":
            raise DataError("missing: no decision, intent, tag, order, GTT or trade of that name")
        return [
            f"D12  momentum_ladder  order {key}",
            "14:30:00.000              caused      by a bar [of] INFY at 1624.55",
        ]

    def look_at(self, token, span):
        self.board.focus.look_at(token, span)

    command_options = ()
    watch_lists_file = None
    listed = ()
    """What a search finds besides what is under watch."""

    def search(self, text, most):
        return InstrumentSearch(
            [Instrument(k, *names) for k, names in enumerate(self.listed, 5_000)]
        ).find(text, most)

    def export_rows(self, name, rows):
        self.exported = name, rows
        return Path(f"{name}.csv")

    def past_commands(self):
        return ["limits", "status"]

    def keep_command(self, line):
        self.kept.append(line)

    def strategy_totals(self):
        return {"momentum_ladder": 12_345_60, "mean_reversion": -4_321_00}

    def earlier_orders(self, now):
        return [
            row._replace(key=f"{900 + k}", ts=row.ts - 86_400 * SECOND)
            for k, row in enumerate(self.board.orders.rows)
        ]

    def submit(self, request):
        self.commands.append(request)
        return len(self.commands)

    def outcome(self, number):
        return self.outcomes.get(number)

    def resume(self, reason):
        self.resumed.append(reason)
        self.board.header = self.board.header._replace(kill="", kill_reason="")

    def stop(self):
        self.stopped = True

    def event(self, level, text):
        self.board.event_seq += 1
        self.board.events.append(EventRow(self.board.event_seq, self.now, level, text))

    def pulse(self):
        """Put pulses, a feed by instrument and times on the board; not all of it is well."""
        board, hour = self.board, self.now - 60 * MINUTE
        good = (
            ("kill switch", "not pulled"),
            ("naked", "none"),
            ("session", "until 15 Jul 06:00"),
            ("broker", "answers"),
            ("feed link", "up"),
            ("governor", "64/380 min, 212 today"),
            ("GTTs", "9 seen at the broker"),
            ("journal", "on disk"),
            ("disk space", "48,200 MB free"),
            ("memory", "212 MB of 2,000"),
        )
        ill = (
            ("instruments", "wrong", "1 silent: TATAMOTORS", "FEED has them, the worst first."),
            ("bars server", "attention", "away", "Bars wait on this disk: start the server."),
        )
        for name, figure in good:
            board.pulses.put(name, PulseRow(name, "good", figure, hour, ""))
        for name, state, figure, mend in ill:
            board.pulses.put(name, PulseRow(name, state, figure, self.now - 90 * SECOND, mend))
        for i, row in enumerate(board.watch.rows):
            state = "silent" if row.stale else "live"
            feed = FeedRow(row.token, row.symbol, state, row.ts, 58.0 + i, 0, 3 * row.stale, i // 9)
            board.feed.put(row.token, feed)
        for k, name in enumerate(STEPS):
            counts = tuple(max(0, 400 - 90 * (n - 3 - k) ** 2) for n in range(OCTAVES))
            p50 = 3 << (12 + k)
            figures = (p50, 2 * p50, 4 * p50, 9 * p50, 3 * p50)
            board.latencies.put(name, LatencyRow(name, counts, sum(counts), *figures))

    def bound(self):
        """Put limits, a governor at work and a history of the kill switch on the board."""
        for name, used, limit, configured, note in (
            ("max_order_value", -1.0, 200_000, 200_000, ""),
            ("max_exposure", 185_000.0, 240_000, 240_000, ""),
            ("max_positions", 8, 90, 90, ""),
            ("max_orders_per_minute", 2, 0, 0, ""),
            ("price_range_percent", -1.0, 2.5, 5, "terminal: results day"),
            ("max_daily_loss", 15_000.0, 15_000, 25_000, "screen: half the size today"),
            ("budget.momentum_ladder", 112_400.5, 150_000, 150_000, ""),
        ):
            self.board.limits.put(name, LimitRow(name, used, limit, configured, note))
        self.board.governor = GovernorState(
            7,
            9,
            64,
            380,
            212,
            4_800,
            (("EXIT", 1), ("PROTECT", 0), ("ENTRY", 1)),
            (("EXIT", 0), ("ENTRY", 8 * 10**8)),
            0,
        )
        self.board.queue.put(
            0, QueueRow(0, "exit", "PlaceOrder", "INFY", self.now - 4 * 10**8, self.now + 2 * 10**8)
        )
        self.board.queue.put(1, QueueRow(1, "entry", "PlaceOrder", "SBIN", self.now - SECOND, -1))
        noon = self.now - 150 * MINUTE
        self.board.kills.put(0, KillRow(0, noon, "latch", "halt", "daily loss limit", "limit"))
        self.board.kills.put(
            1, KillRow(1, noon + 9 * MINUTE, "resume", "", "looked at it, sizes halved", "terminal")
        )

    def trade(self):
        """Have three strategies with parameters, decisions and trades; one has failed."""
        board, at = self.board, self.now - 5 * MINUTE
        no_lot = "the rung's capital buys no lot: ₹3,000.00 buy no lot of 1 at ₹12641.00"
        too_much = (
            "the positions together would be worth too much: ₹564312.75 + ₹3000.00 is above "
            "₹565000.00"
        )
        for number, (symbol, side, kind, reason, size, verdict, why, times, intent) in enumerate(
            (
                ("RELIANCE", "BUY", "enter", "momentum +0.61 %", 75, "OK", "", 1, "99"),
                ("MARUTI", "BUY", "enter", "momentum +0.88 %", 0, "SIZE_ZERO", no_lot, 12, "99"),
                ("INFY", "BUY", "enter", "momentum +0.52 %", 20, "EXPOSURE", too_much, 3, "99"),
                ("LT", "BUY", "enter", "momentum +0.47 %", 12, "OK", "", 1, "3"),
                ("INFY", "BUY", "rung", "P2 at 0.25 % up", 20, "OK", "", 1, "7"),
                ("ITC", "BUY", "exit", "crossed back", 0, "OK", "", 1, "99"),
            ),
            1,
        ):
            price = self._prices[symbol]
            ts = at + number * 10 * SECOND
            board.decisions.put(
                number,
                DecisionRow(
                    number,
                    ts,
                    "momentum_ladder",
                    symbol,
                    side,
                    kind,
                    reason,
                    size,
                    price,
                    verdict,
                    why,
                    times,
                    ts + (times - 1) * SECOND,
                    intent,
                ),
            )
        rows = board.decisions.rows
        held = sum(row.pnl for row in board.positions.rows)
        for row in (
            StrategyRow(
                "momentum_ladder",
                "",
                184_025,
                symbols=20,
                rungs=8,
                open_pnl=held,
                trades=2,
                wins=1,
                signals=31,
                signal=rows[5],
                refusal=rows[2],
            ),
            StrategyRow(
                "moving_average_cross",
                "ValueError: boom",
                -51_200,
                state="failed",
                why="ValueError: boom",
                symbols=3,
            ),
            StrategyRow(
                "breakout", "by screen: wild", 0, state="stopped", why="by screen: wild", symbols=1
            ),
            StrategyRow("by hand, adopted", "", -3_000, state=""),
        ):
            board.strategies.put(row.name, row)
        for name, value, configured, bounds, meaning, note in (
            ("enabled", "true", "true", "true or false", "Whether it runs.", ""),
            ("timeframe_s", "60", "60", "a whole number from 1 to 86_400", "Its bars.", ""),
            (
                "momentum_percent",
                "0.5",
                "0.4",
                "a number from 0.01 to 50",
                "Move over these bars that is an entry.",
                "screen: choppy today",
            ),
            ("ema_slow", "21", "21", "a whole number from 2 to 5_000", "Bars of the slow one.", ""),
        ):
            key = f"momentum_ladder.{name}"
            fixed = name in {"enabled", "timeframe_s"}
            board.parameters.put(
                key,
                ParameterRow(
                    key,
                    "momentum_ladder",
                    name,
                    value,
                    configured,
                    bounds,
                    meaning,
                    note,
                    fixed,
                ),
            )
        for key, symbol, pnl, reason in (
            ("t1", "SBIN", 61_250, "target"),
            ("t2", "TITAN", -40_115, "stop"),
        ):
            price = self._prices[symbol]
            board.trips.put(
                key,
                TripRow(
                    key,
                    "momentum_ladder",
                    symbol,
                    "P1",
                    "BUY",
                    40,
                    price,
                    price + pnl / 4_000,
                    pnl,
                    at - 30 * MINUTE,
                    at,
                    reason,
                ),
            )
        trace = (
            "Traceback (most recent call last):",
            '  File "cross.py", line 31, in on_bar',
            "    self.averages[bar.token + 1]",
            "ValueError: boom",
        )
        board.failures.put(
            "moving_average_cross",
            FailureRow("moving_average_cross", at, "ValueError: boom", trace),
        )

    def close(self):
        """End the day: a strategy has failed, one position stays bare, something went wrong."""
        board = self.board
        for name, stopped, net in (
            ("momentum_ladder", "", 184_025),
            ("moving_average_cross", "ValueError: boom", -51_200),
            ("by hand, adopted", "", -30),
        ):
            board.strategies.put(name, StrategyRow(name, stopped, net))
        trace = ("Traceback (most recent call last):", "ValueError: boom")
        board.failures.put(
            "moving_average_cross",
            FailureRow("moving_average_cross", self.now, "ValueError: boom", trace),
        )
        board.trades = DayTrades(
            14,
            TradeRow("RELIANCE", "momentum_ladder", "P2", 61_250),
            TradeRow("SBIN", "moving_average_cross", "", -40_115),
        )
        board.positions.keep({"INFY/P1", "TITAN/P1"})
        row = board.positions.rows[-1]
        board.positions.put(row.key, row._replace(protected=0))
        board.alarms = {
            "TITAN: protection refused: busy": 3,
            "moving_average_cross stopped: ValueError: boom": 1,
        }
        self._header(day_over=True, phase="closed")

    def differ(self):
        """Let the broker's books differ from ours, one of each kind, and somebody else trade."""
        self._header(state="read-only")
        everything, word, away = (
            ("adopt", "assign", "ignore", "flatten"),
            ("adopt", "ignore"),
            ("ignore", "flatten"),
        )
        for key, kind, symbol, theirs, ours, choices, ignored in (
            ("HDFCBANK:CNC", "unmanaged", "HDFCBANK", "40 at 1702.35", "none", everything, True),
            ("ITC:CNC", "unmanaged", "ITC", "100 at 417.00", "none", everything, False),
            ("TITAN:CNC", "missing", "TITAN", "none", "30", word, False),
            ("SBIN:CNC", "quantity", "SBIN", "150 at 803.35", "140", everything, False),
            (
                "order:260714000042",
                "order",
                "LT",
                "BUY 12, 0 filled, tag Pa1b2260714-77",
                "no such order",
                away,
                False,
            ),
            ("gtt:214499", "gtt", "INFY", "SELL 100 at 1590.00", "no such GTT", away, False),
            ("trade:260714000007", "trade", "INFY", "25 traded", "20 booked", word, False),
            ("funds", "funds", "", "₹398412.10", "₹451234.56", word, False),
        ):
            self.board.differences.put(
                key,
                DifferenceRow(
                    key, kind, symbol, theirs, ours, self.now - 4 * MINUTE, choices, ignored
                ),
            )
        row = self.board.orders.rows[-1]
        self.board.externals.put(row.key, row)

    def _build(self, symbols):
        board = self.board
        for i in range(symbols):
            name, price = NAMES[i] if i < len(NAMES) else (f"STOCK{i:03d}", 100.0 + i)
            self._prices[name] = price
            wave = tuple(
                price * (1 + 0.004 * math.sin(i + k / 3.0) + 0.0006 * k) for k in range(24)
            )
            self._sparks[name] = tuple(round(x, 2) for x in wave)
            board.watch.put(1_000 + i, self._watch(i, name, price))
            self._bars(1_000 + i, price)
        for name, rung, quantity, average in OPEN:
            self._position(name, rung, quantity, average)
        self._ladders()
        self._risk()
        self._orders()
        for level, text in (
            ("info", "reconciled: 8 positions, 9 GTTs, nothing unexplained"),
            ("info", "session continuous until 15:30"),
            ("fill", "BUY 75 RELIANCE 1,398.20 · momentum_ladder P1"),
            ("info", "GTT 214417 armed: RELIANCE stop 1,377.20 target 1,447.10"),
            ("fill", "BUY 50 RELIANCE 1,404.60 · momentum_ladder P2"),
            ("warn", "TATAMOTORS stale for 12 s: entries inhibited"),
            ("fill", "BUY 25 RELIANCE 1,409.10 · momentum_ladder P3"),
            ("info", "trailed RELIANCE stop 1,377.20 → 1,384.60"),
            ("fill", "SELL 40 [ITC] 417.90 · momentum_ladder P1"),
        ):
            self.event(level, text)
        minutes = board.bars[1_000, 60]
        for back, side, quantity in ((40, "BUY", 75), (22, "BUY", 50), (6, "SELL", 25)):
            bar = minutes[-1 - back]
            board.fills.append(FillMark(bar.start + 7 * SECOND, 1_000, side, bar.close, quantity))
        self._header()

    def _header(self, **changes):
        pnl = sum(row.pnl for row in self.board.positions.rows) - 51_230
        base = self.board.header._replace(
            state="running",
            now=self.now,
            phase="continuous",
            phase_ends=START + 57 * MINUTE + 53 * SECOND,
            pnl=pnl,
            charges=51_230,
            naked=0,
            feed_age=200_000_000,
            cash=4_512_345_60,
        )
        self.board.header = base._replace(**changes)

    def _watch(self, i, name, price):
        stale = name == "TATAMOTORS"
        base = dict(NAMES).get(name, 100.0 + i) * (1 - 0.011 * math.sin(i * 1.7))
        return WatchRow(
            1_000 + i,
            name,
            price,
            (price / base - 1) * 100,
            price - 0.05,
            price + 0.05,
            81_234 * (i + 1) * (i + 1),
            START - 12 * SECOND if stale else self.now,
            stale,
            self._sparks[name],
        )

    def _position(self, name, rung, quantity, average):
        price = self._prices[name]
        key = f"{name}/{rung}"
        self.board.positions.put(
            key,
            PositionRow(
                key,
                name,
                "momentum_ladder",
                rung,
                quantity,
                average,
                price,
                round((price - average) * quantity * 100),
                (price / average - 1) * 100,
                round(average * 0.985, 1),
                round(average * 1.035, 1) if rung != "P3" else 0.0,
                quantity,
                self.now - 40 * MINUTE,
                4_210,
                round(average * 1.0012, 1),
                "CNC",
                name,
                token=1_000 + [each[0] for each in NAMES].index(name),
            ),
        )

    def _ladders(self):
        for name, rungs, stop in (
            ("RELIANCE", ("armed", "armed", "armed"), 1384.60),
            ("INFY", ("armed", "armed", "entering"), 1612.80),
            ("SBIN", ("armed", "-", "-"), 808.90),
            ("BHARTIARTL", ("armed", "entering", "-"), 1893.00),
            ("TITAN", ("triggered", "-", "-"), 3420.10),
            ("ITC", ("closed", "closed", "closed"), 0.0),
        ):
            price = self._prices.get(name, 0.0)
            distance = (price / stop - 1) * 100 if stop else 0.0
            armed = sum(state == "armed" for state in rungs)
            self.board.ladders.put(
                name,
                LadderRow(
                    name,
                    name,
                    "momentum_ladder",
                    rungs,
                    stop,
                    distance,
                    round(price * 1.004, 1),
                    armed,
                    armed,
                    "CNC",
                    tuple(f"{name}/P{number}" for number in (1, 2, 3)),
                ),
            )

    def _risk(self):
        for name, text, limit, used, bad in (
            ("Daily loss", "1240.00", "25000", 0.05, False),
            ("Drawdown", "4310.50", "40000", 0.11, False),
            ("Exposure", "564312.75", "750000", 0.752, False),
            ("Positions", "8", "10", 0.8, False),
            ("Entries today", "19", "20", 0.95, False),
            ("Orders/s", "2", "9", 0.222, False),
            ("Orders today", "214", "4800", 0.045, False),
            ("Unknown", "0", "", -1.0, False),
            ("Differences", "0", "", -1.0, False),
            ("Naked positions", "0", "", -1.0, False),
        ):
            self.board.risk.put(name, RiskRow(name, text, limit, used, bad))

    def _orders(self):
        rows = (
            ("RELIANCE", "BUY", 75, 75, 1398.5, 1398.2, "LIMIT", "ENTRY", "COMPLETE", ""),
            ("RELIANCE", "BUY", 50, 50, 1405.0, 1404.6, "LIMIT", "ENTRY", "COMPLETE", ""),
            ("ITC", "SELL", 40, 40, 0.0, 417.9, "MARKET", "EXIT", "COMPLETE", ""),
            ("LT", "BUY", 12, 0, 3620.0, 0.0, "LIMIT", "ENTRY", "REJECTED", "RISK: exposure"),
            ("SBIN", "BUY", 140, 140, 803.5, 803.35, "LIMIT", "ENTRY", "COMPLETE", ""),
            ("TITAN", "BUY", 30, 30, 3440.0, 3438.2, "LIMIT", "ENTRY", "COMPLETE", ""),
            ("MARUTI", "BUY", 2, 0, 12600.0, 0.0, "LIMIT", "ENTRY", "CANCELLED", ""),
            ("INFY", "BUY", 20, 5, 1622.0, 1621.9, "LIMIT", "ENTRY", "OPEN", ""),
            ("BHARTIARTL", "BUY", 30, 0, 1930.0, 0.0, "LIMIT", "ENTRY", "OPEN", ""),
            ("ITC", "BUY", 100, 0, 417.0, 0.0, "LIMIT", "-", "OPEN", ""),
        )
        for i, (
            symbol,
            side,
            quantity,
            filled,
            price,
            average,
            kind,
            purpose,
            status,
            reason,
        ) in enumerate(rows):
            strategy = "external" if purpose == "-" else "momentum_ladder"
            ts = START - (50 - 5 * i) * MINUTE
            self.board.orders.put(
                str(i),
                OrderRow(
                    str(i),
                    ts,
                    symbol,
                    side,
                    quantity,
                    filled,
                    price,
                    average,
                    kind,
                    purpose,
                    status,
                    strategy,
                    f"26071400{i:04d}",
                    reason,
                ),
            )

    def _bars(self, token, price):
        for span in self.spans:
            last = START // (span * SECOND) * span * SECOND
            rows = []
            x = price * 0.985
            for k in range(160):
                pull = (
                    price + price * 0.006 * math.sin((160 - k) / 17.0) - price * 0.00009 * (160 - k)
                )
                close = x + (pull - x) * 0.25 + price * 0.0007 * math.sin(k * 2.3 + token)
                high = max(x, close) * (1 + 0.0004 * (1 + math.sin(k * 1.1)))
                low = min(x, close) * (1 - 0.0004 * (1 + math.cos(k * 0.7)))
                start = last - (159 - k) * span * SECOND
                rows.append(
                    BarRow(
                        start,
                        *(round(v * 20) / 20 for v in (x, high, low, close)),
                        int(9_000 + 6_000 * math.sin(k * 0.37) ** 2 * (1 + k % 5)),
                    )
                )
                x = close
            self.board.bars[token, span] = tuple(rows)

    def _book(self):
        """Show the book of the charted symbol and a trade in it."""
        board = self.board
        row = next((row for row in board.watch.rows if row.token == board.focus.token), None)
        if row is None:
            return
        for side, best, way in (("bid", row.bid, -0.05), ("ask", row.ask, 0.05)):
            for level in range(5):
                quantity = 120 + (row.token * 37 + level * 211 + self.steps * 13) % 900
                own, ahead = (20, 85) if (side, level) == ("bid", 1) else (0, -1)
                key, at = f"{side}-{level + 1}", round(best + way * level, 2)
                board.depth.put(
                    key, DepthRow(key, side, at, quantity, 2 + quantity // 90, own, ahead)
                )
        side = ("BUY", "SELL", "")[self.steps % 3]
        board.tape.append(TapeRow(self.steps, self.now, row.ltp, 5 + self.steps % 40, side))

    def step(self, ns=SECOND // 10, share=0.25):
        """Move on: about `share` of the symbols tick."""
        self._book()
        self.now += ns
        self.steps += 1
        for i, row in enumerate(list(self.board.watch.rows)):
            if row.stale or self._random.random() > share:
                continue
            price = round((row.ltp * (1 + self._random.gauss(0.0, 0.00025))) / 0.05) * 0.05
            price = round(price, 2)
            self._prices[row.symbol] = price
            self._sparks[row.symbol] = (
                (*row.spark[1:], price) if self.steps % 20 == i % 20 else row.spark
            )
            self.board.watch.put(row.token, self._watch(i, row.symbol, price))
        for name, rung, quantity, average in OPEN:
            self._position(name, rung, quantity, average)
        self._ladders()
        self._header()
        self.board.heartbeat += ns
