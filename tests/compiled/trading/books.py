"""A scene, the books of its broker as lists, and what compares and decides.

Time moves a second with each look.
"""

import asyncio

from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.values import SECOND, GttStatus, OrderStatus, Side
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.config.schema import ReconcileSettings
from engine.day.desk_clocks import SteppedClock
from engine.ports import BrokerPosition
from engine.reconcile.reconcile_actions import ReconcileActions
from engine.reconcile.reconciler import Reconciler
from tests.asking import decision
from tests.compiled.trading.scripted import CANBK, Scene

CASH = 10**10
BOUND = 500_000


class Books:
    """A broker whose books are lists.

    `during` is called between the reading of positions and of orders.
    """

    def __init__(self):
        self.at = {"positions": [], "holdings": [], "gtts": [], "orders": [], "trades": []}
        self.cash = CASH
        self.error = None
        self.during = lambda: None

    async def _read(self, name):
        if self.error and self.error[0] == name:
            raise self.error[1]
        return list(self.at[name])

    async def positions(self):
        return await self._read("positions")

    async def holdings(self):
        self.during()
        return await self._read("holdings")

    async def gtts(self):
        return await self._read("gtts")

    async def orders(self):
        return await self._read("orders")

    async def trades(self):
        return await self._read("trades")

    async def funds(self):
        await self._read("positions")
        return self.cash


class Notes:
    """A journal that keeps `meta` only."""

    def __init__(self):
        self.meta = {}

    def append(self, table, row):
        if table == "meta":
            self.meta[row["key"]] = row["value"]

    def load(self, table, where="", parameters=()):
        del table, where
        begins = parameters[0].rstrip("%")
        return [
            {"key": k, "value": v}
            for k, v in self.meta.items()
            if v is not None and k.startswith(begins)
        ]


class Queue:
    """A gateway that only keeps what it is to send."""

    def __init__(self):
        self.sent = []

    def put(self, command):
        self.sent.append(command)


class Desk:
    """A scene, the broker's books, and what compares them and decides."""

    def __init__(self, journal=None):
        self.scene = Scene()
        self.books = Books()
        self.clock = SteppedClock(self.scene.now)
        self.board = Board("SANDBOX")
        self.writer = BoardWriter(self.board)
        self.journal = journal or Notes()
        self.reconciler = Reconciler(
            self.scene.kernel,
            self.books,
            self.journal,
            self.clock,
            self.writer,
            ReconcileSettings(funds_bound=BOUND // 100),
        )
        self.gateway = Queue()
        self.answers = {}
        self.posted = []
        self.choices = ReconcileActions(
            self.reconciler, self.gateway, self.posted.append, self.answers.__setitem__
        )

    def look(self, times=1, **options):
        """Compare, a second apart; return (key, kind, figure) of what stands."""
        for _ in range(times):
            self.clock.set(self.clock.now() + SECOND)
            self.scene.now = self.clock.now()
            self.scene.timer(0)
            self.soon = asyncio.run(self.reconciler.compare_once(**options))
        found = [each.difference for each in self.reconciler.standing.values()]
        return [(each.key, each.kind, each.figure) for each in found]

    def only(self):
        [standing] = self.reconciler.standing.values()
        return standing.difference

    def hold(self, quantity=100):
        """Have the desk hold CANBK, bought at ₹100.00, protected by GTT 7.

        The broker knows order, trade, GTT and cash.
        """
        self.scene.hold(quantity)
        at, now = self.books.at, self.scene.now
        at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", quantity, 100.0)]
        at["orders"] = [
            OrderUpdate(now, "B1", "T1", CANBK, Side.BUY, OrderStatus.COMPLETE, quantity, quantity)
        ]
        at["trades"] = [BrokerTrade(now, "tB1", "B1", CANBK, Side.BUY, quantity, 100.0)]
        at["gtts"] = [
            GttUpdate(now, 7, CANBK, GttStatus.ACTIVE, list(self.scene.rung.gtt.legs), [])
        ]
        self.books.cash = CASH - quantity * 10_000

    def decide(self, text):
        """Decide, and hand what follows to the kernel.

        Return what the operator is told and what the kernel asks for.
        """
        number = len(self.answers) + 1
        if refusal := self.choices.queue_decision(number, decision(text)):
            return str(refusal), []
        self.clock.set(self.clock.now() + SECOND)
        self.scene.now = self.clock.now()
        asyncio.run(self.choices.carry_out())
        found = []
        while self.posted:
            found += self.scene.tell(self.posted.pop(0))
        return str(self.answers[number]), found
