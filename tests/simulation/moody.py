"""A day on which a test asks for the broker's moods, and sits at the desk itself."""

from brokers.sandbox.fault_moods import mood_faults
from tests.asking import answer_of, asked
from tests.simulation.world import World


class Moody(World):
    """A day on which moods are asked for.

    `asked` are the requests that have arrived: second, method and path.
    """

    def __init__(self, strategies=(), **options):
        self.asked = []
        super().__init__(5, lambda: list(strategies), **options)

    def perform(self, request):
        self.asked.append((self.loop.seconds, request.method, request.path))
        return super().perform(request)

    def mood(self, name, **changes):
        rules = [
            self.exchange.faults.add(fault, self.clock.true())
            for fault in mood_faults(name, **changes)
        ]
        self.storms += 1
        return rules

    def over(self):
        self.exchange.faults.remove()
        self.storms -= 1
        self.calm_since = self.loop.seconds

    def by_hand(self, symbol, product="CNC", seconds=12.0, **fields):
        """Order ten shares at the market.

        Return what the desk says of it within so many seconds.
        """
        ticket = {
            "symbol": symbol,
            "side": "BUY",
            "quantity": 10,
            "stop": 2.0,
            "product": product,
        } | fields
        return self.ask(asked("order", **ticket), seconds=seconds)

    def ask(self, request, seconds=12.0):
        """Have the operator ask for something.

        Return what the desk says of it within so many seconds.
        """
        number = self.process.desk.submit(request)
        ends = self.loop.seconds + seconds
        while self.loop.seconds < ends and not answer_of(self.process.desk, number):
            self.run(self.loop.seconds + 0.1)
        return answer_of(self.process.desk, number)

    def told(self, name):
        return [row for row in self.process.journal.load("events") if row["name"] == name]

    def token(self, symbol):
        return int(self.exchange.listings[f"NSE:{symbol}"].instrument.token)

    def since(self, second, methods=("POST", "PUT", "DELETE"), path=""):
        return [
            each
            for each in self.asked
            if each[0] >= second and each[1] in methods and each[2].startswith(path)
        ]
