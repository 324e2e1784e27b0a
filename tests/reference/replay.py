"""The long way through a bar-driven run.

Every point of every path as an event, as rules 22 and 23 say it.
"""

from decimal import Decimal

from compiled.model.events import OperatorAct, OperatorInstruction, TickBatch, TimerEvent
from compiled.model.values import SECOND, Tick
from compiled.venue import intrabar


def path_of(open, high, low, close):
    """Return the four prices of rule 1, reckoned in exact decimals."""
    begun, top, bottom = (Decimal(str(price)) for price in (open, high, low))
    return [open, low, high, close] if begun - bottom <= top - begun else [open, high, low, close]


class LongWay:
    """Drives a kernel and a venue through rows of bars by events alone.

    A row is (token, start, open, high, low, close, volume).
    """

    def __init__(self, kernel, venue):
        self.kernel, self.venue = kernel, venue
        self.curve = []

    def tell(self, event, now):
        self.venue.take_commands(self.kernel.handle(event), now)

    def hear(self, now):
        while self.venue.due <= now:
            self.tell(self.venue.next_event(), now)

    def run(self, rows, span, sessions):
        # rule 2: an entry meets no price before the next bar
        self.kernel.order_store.entry_patience = span * SECOND + 1
        for begun, close in sessions:
            of_day = [row for row in rows if begun <= row[1] < close]
            if not of_day:
                continue
            self.kernel.begin_session(begun, close)
            self.venue.begin_session(begun, close)
            if self.kernel.state.halted:
                self.tell(OperatorInstruction(begun, OperatorAct.RESUME), begun)
            self.tell(OperatorInstruction(begun, OperatorAct.READY), begun)
            self.hear(begun)
            day = {}
            turned = begun
            for start in sorted({row[1] for row in of_day}):
                if start > turned:
                    self.tell(TimerEvent(start), start)
                    self.hear(start)
                turned = min(start + span * SECOND, close)
                self.moment([row for row in of_day if row[1] == start], start, turned, day)
            self.tell(TimerEvent(close), close)
            self.venue.end_session(close)
            self.hear(close)

    def moment(self, rows, start, end, day):
        for k in range(4):
            ts = intrabar.path_time(k, start, end)
            for token, _, *prices, volume in rows:
                price = path_of(*prices)[k]
                if k == 0:
                    self.venue.open_bar(token, ts, *prices[:3], volume)
                else:
                    self.venue.move_price(token, ts, price)
                day[token] = day.get(token, 0) + (volume if k == 3 else 0)
                self.tell(TickBatch(ts, [Tick(token, ts, price, day[token], last_trade_ts=ts)]), ts)
                self.hear(ts)
        self.tell(TimerEvent(end), end)
        self.hear(end)
        self.curve.append((end, self.kernel.ledger.net))
