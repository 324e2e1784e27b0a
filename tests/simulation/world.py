"""One simulated day in one thread and from one seed: exchange, crowd, network, disk, desks."""

import asyncio
import random
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from brokers.kite.call_outcome import CallFailed
from brokers.kite.zerodha_sandbox import KITE_RULES
from brokers.sandbox import kite_times, overnight
from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxRequest
from brokers.sandbox.universe import known_shares
from compiled.model.values import SECOND
from compiled.trading.risk import RiskLimits
from engine.board_rows import Board
from engine.config.risk_limits import current_limits
from engine.config.schema import GatewaySettings
from engine.day.timekeeper import Timekeeper
from engine.desk import Desk, EnginePorts, EngineSettings
from engine.errors import PatangError
from engine.market import charges
from engine.market.calendar import Calendar
from engine.orders.killswitch import HALT, KillSwitch
from tests.simulation.checks import Broken, Checks
from tests.simulation.disk import Disk, Journal
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.network import Broker, Feed, Network

DAY = "2026-11-20"
NEVER_S = float("inf")
"""A crash after which nobody starts the desk."""
SYMBOLS = ("SBIN", "WIPRO", "ITC")
FREEZE = 40
"""Shares that the exchange takes of ITC in one order, so few that orders have to be sliced."""
table_of_hours = cache(Calendar.load)
table = cache(charges.load_rate_table)


class Wild:
    """A fair value that moves far enough in a minute for stops, targets and rungs to be reached."""

    def __init__(self, close, rng, sigma):
        self.lean = 0.0
        self._close = close
        self._rng = rng
        self._sigma = sigma
        self._level = 0.0

    def jump(self, share):
        """Move at once."""
        self._level += share

    def step(self, market, heat, seconds=1):
        del market, heat
        jump = self._rng.gauss(0.0, 0.008) if self._rng.random() < 0.01 else 0.0
        self._level = min(0.07, max(-0.07, self._level + self._rng.gauss(0.0, self._sigma) + jump))
        return self._close * (1.0 + self._level)


class Kill(KillSwitch):
    """The real kill switch of a process that may be dead.

    Then nothing reaches the file any more.
    """

    alive = True

    def trigger(self, level, reason, who):
        if self.alive:
            super().trigger(level, reason, who)


class Process:
    """One run of the desk, from its start to its end or its crash."""

    def __init__(self, world, strategies):
        self.world = world
        self.alive = True
        self.network = world.network
        self.clock = world.clock
        self.kill = Kill(world.folder / "KILL", world.clock.now)
        self.journal = Journal(world.disk, self._fail)
        endpoint = world.exchange.session.api_key, world.exchange.session.access_token
        world.clock.restart()
        self.timekeeper = Timekeeper(world.clock)
        self.broker = Broker(
            self,
            world.clock,
            endpoint,
            world.workers,
            self._token_died,
            self.timekeeper.note_answer,
        )
        self.timekeeper.on_clock_set = self.broker.shift_clock
        self.feed = Feed(self, endpoint, self._token_died)
        self.board = Board("SANDBOX")
        ports = EnginePorts(
            self.broker,
            self.feed,
            self.journal,
            world.clock,
            self.kill,
            world.calendar,
            table(),
            margins=self.broker.margins,
            **world.ports | {"beside": self._beside},
        )
        settings = replace(world.settings, limits=RiskLimits(**world.limits))
        self.desk = Desk(settings, ports, strategies, self._fail, self.board)
        self.task = world.loop.create_task(self.desk.run())

    @property
    def kernel(self):
        """Return the kernel of an opened desk, None before.

        Not the one that is being made for tomorrow.
        """
        return self.desk._loop.kernel if self.alive and self.desk._loop is not None else None

    @property
    def open(self):
        """Tell whether the desk runs, or shows the day read-only."""
        loop = self.desk._loop
        return (
            self.alive and loop is not None and loop.state != "reconciling" and not self.task.done()
        )

    def crash(self):
        """Die as a killed process does: nothing that is not on disk or on the wire survives."""
        self.journal.crash()
        self._bury()

    def end(self):
        """Let go of everything after an orderly end, or after the engine died."""
        self.journal.close()
        self._bury()

    def _bury(self):
        self.alive = self.kill.alive = False
        for task in asyncio.all_tasks(self.world.loop):
            task.cancel()

    def _beside(self, loop):
        """Return what keeps the clock, and what the world has run besides."""
        loop.timekeeper = self.timekeeper
        return [self.timekeeper.run(loop), *self.world.ports.get("beside", lambda _: ())(loop)]

    def _fail(self, name, error):
        if name != "engine":
            self.kill.trigger(HALT, f"{name} died: {error}", name)

    def _token_died(self):
        if self.alive:
            self.world.token_died(self)


class World:
    """Everything of one day.

    `make` returns the strategies of a new process, `limits` are the configured ones.
    """

    def __init__(
        self,
        seed,
        make,
        start="09:15",
        sigma=0.0006,
        limits=None,
        day=DAY,
        choices=None,
        calendar=None,
        symbols=SYMBOLS,
        cash=5_000_000,
        **changes,
    ):
        self.seed = seed
        self.make = make
        self.limits = limits or {}
        self._sigma = sigma
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._unhandled)
        choices = choices or KiteAssumptions(
            holdings=random.Random(f"{seed}:holdings").choice(("own", "other"))
        )
        config = SandboxConfig(
            seed=seed,
            date=day,
            start=start,
            symbols=symbols,
            user_id="SB0001",
            cash=cash,
            choices=choices,
        )
        self.calendar = calendar or table_of_hours()
        self._furnish(SandboxExchange(config))
        self.clock = VirtualClock(self.loop, self.exchange.start)
        self.network = Network(self, random.Random(f"{seed}:network"))
        self.disk = Disk(self.loop, random.Random(f"{seed}:disk"))
        self.checks = Checks(self)
        self.workers = 6
        self.settings = EngineSettings(
            **{
                "mode": "sandbox",
                "limits": RiskLimits(),
                "rules": KITE_RULES,
                "spans": (60,),
                "gateway": GatewaySettings(positions_every_s=20.0),
                "lanes": 3,
                "beat_s": 0.5,
            }
            | changes
        )
        self._allowed = [(-1e9, current_limits(RiskLimits(**self.limits)))]
        self.tokens = {}
        """Exchange tokens that have changed, by symbol."""
        self.ports = {}
        """What a process is handed besides."""
        self.process = None
        self.storms = 0
        self.stormed = self.crashes = 0
        self.calm_since = 0.0
        self.deaths = 0
        self.restarts = []
        """Seconds after which an orderly end is followed by another start."""
        self.crash_due = 0.0
        """Seconds after which a crash that is asked for here is followed by another start.

        Or `NEVER_S`.
        """
        self.trouble = []
        self.diary = []
        self.attendants = []
        """What looks on after every step, besides the checks."""
        self._due = None
        self._alarm = None
        self._schedule()

    @staticmethod
    def opens():
        """Return the instant at which a day begins, ns UTC."""
        return kite_times.midnight(DAY) + kite_times.time_of_day("09:15")

    def note(self, text):
        """Write a line into the day's diary."""
        self.diary.append((self.loop.seconds, text))

    # time

    def run(self, until, crash_at=None):
        """Let time pass to virtual second `until`, or to step `crash_at`.

        Check everything after every step.
        """
        with self.loop.running():
            while self.loop.seconds < until and (crash_at is None or self.loop.steps < crash_at):
                self.loop.turn()
                self._attend()

    def _attend(self):
        if self.trouble:
            raise self.trouble.pop()
        if self.crash_due:
            self.crashes += 1
            self.kill_process()
            if self.crash_due != NEVER_S:
                self.loop.call_later(self.crash_due, self.start)
            self.crash_due = 0.0
        process = self.process
        if process is not None and process.alive and process.task.done():
            self._ended(process)
        for attend in self.attendants:
            attend()
        self.checks.step()

    def _ended(self, process):
        error = process.desk.error
        process.end()
        self.checks.died()
        if error is not None and not isinstance(error, PatangError):
            raise Broken(self, f"the engine died: {error!r}") from error
        self.deaths += error is not None
        self.loop.call_later(self.restarts.pop() if self.restarts else 2.0, self.start)

    def _unhandled(self, loop, context):
        del loop
        if isinstance(context.get("exception"), CallFailed):
            return  # the answer to a desk that has ended, found whenever its future is thrown away
        if self.process is None or self.process.is_alive:
            self.trouble.append(Broken(self, f"nobody caught: {context}"))

    def close(self):
        """Let go of what is left, silently."""
        self.kill_process()
        self.loop.close()
        self.disk.platter.close()
        self._folder.cleanup()

    # the desk

    def start(self):
        """Start a desk where none runs."""
        before = self.process
        if before is None or not before.alive:
            self.process = Process(self, self.make())
            if before is not None and before.kill.latched and not self.process.kill.latched:
                self.trouble.append(Broken(self, "the latch did not survive a restart"))

    def kill_process(self):
        """Kill the desk's process where it stands, and let its remains unwind without effect."""
        if self.process is None or not self.process.alive:
            return
        self.process.crash()
        self.checks.died()
        self._forget_limits()
        with self.loop.running():
            while any(not task.done() for task in asyncio.all_tasks(self.loop)):
                self.loop.turn()

    # limits

    def allow(self, name, value):
        """Take note of a limit that holds from now on."""
        self._allowed.append((self.loop.seconds, self._allowed[-1][1] | {name: value}))

    def _forget_limits(self):
        """Go back to the limits that the disk has.

        A change it had not taken died with the process.
        """
        kept = current_limits(RiskLimits(**self.limits)) | {
            row["name"]: row["value"]
            for row in self.disk.rows("limits", "day = ?", (self.exchange.config.date,))
        }
        if kept != self._allowed[-1][1]:
            self._allowed.append((self.loop.seconds, kept))

    def allowed(self, name, since):
        """Return the loosest value of a limit since a second; 0: none."""
        before = max(i for i, (at, _) in enumerate(self._allowed) if at <= since)
        values = [limits[name] for _, limits in self._allowed[before:]]
        return 0 if 0 in values else max(values)

    def token_died(self, process):
        """Do what the machinery around the desk does when the broker refuses its token.

        Here nobody can renew it.
        """
        process.kill.trigger(HALT, "the access token has died; log in again", "broker")

    # the exchange

    def _furnish(self, exchange):
        """Go on with an exchange whose prices are wild."""
        for trader in exchange.market._traders:
            close = trader.listing.instrument.close
            trader._fair = Wild(close, random.Random(f"{self.seed}:{close}"), self._sigma)
        exchange.listings["NSE:ITC"].instrument.freeze = FREEZE
        exchange.past = lambda *_: ()  # parsing yesterday takes longer than the whole day
        self.exchange = exchange
        self.api = SandboxApi(exchange)

    def next_exchange(self, day, start, token=None, night=lambda carried: carried, **changes):
        """Close the exchange, and open that of the next day for the account; `token`: a new one.

        `night` is what happens to it on the way; `changes` are to the exchange's configuration.
        """
        old = self.exchange
        old.run(old.closes)
        carried = night(overnight.collect_account(old))
        with pytest.MonkeyPatch.context() as patch:
            for symbol, number in self.tokens.items():
                patch.setitem(
                    known_shares.KNOWN,
                    symbol,
                    known_shares.KNOWN[symbol]._replace(exchange_token=number),
                )
            new = SandboxExchange(replace(old.config, date=day, start=start, **changes), carried)
        session = new.session
        session.api_key = old.session.api_key
        session.access_token = old.session.access_token if token is None else token
        self.checks.over_night(new)
        # a change holds for its day
        self._allowed.append((self.loop.seconds, current_limits(RiskLimits(**self.limits))))
        self._furnish(new)
        self.touched()

    def perform(self, request):
        """Have the exchange answer a request now.

        That of a day to come stands still, and counts no rates.
        """
        self.exchange.run(self.clock.true())
        self.exchange.limits.clock_stands = self.exchange.now > self.clock.true()
        answer = self.api.respond(request)
        self.checks.books()
        if request.method != "GET" or answer.status != 200 or self.network.job.lost:
            self.note(_exchange(request, answer, self.network.job.lost))
        return answer

    def outside(self, method, path, form):
        """Have the account's owner ask for something past the desk; return whether it was done."""
        session = self.exchange.session
        authorization = f"token {session.api_key}:{session.access_token}"
        self.checks.by_hand = True
        self.exchange.run(self.clock.true())
        request = SandboxRequest(method, path, (), form, None, authorization)
        answer = self.api.respond(request)
        self.checks.books()
        self.checks.by_hand = False
        self.note(f"outside: {_exchange(request, answer, '')}")
        self.touched()
        return answer.status == 200

    def log_in(self):
        """Give the account a new access token, and the desk with it."""
        session = self.exchange.session
        if session.access_token:
            return
        session.access_token = f"token{self.loop.steps}"
        if self.process is not None and self.process.alive:
            self.process.broker.renew(session.access_token)
            self.process.feed.renew(session.access_token)

    def touched(self):
        """Pass on what the exchange has sent, and be there when something happens next."""
        self.network.pump()
        self._schedule()

    def _schedule(self):
        due = None if self.exchange.is_over else self.exchange.next_instant()
        if due == self._due:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._due = due
        self._alarm = (
            due
            if due is None
            else self.loop.call_at((due - self.clock.start) / SECOND + 1e-8, self._tick)
        )

    def _tick(self):
        self._due = self._alarm = None
        self.exchange.run(self.clock.true())
        self.checks.books()
        self.touched()


def _exchange(request, answer, lost):
    said = dict(request.form)
    what = said.get("condition") or " ".join(
        said.get(key, "") for key in ("transaction_type", "quantity", "tradingsymbol", "tag")
    )
    fate = (
        lost
        or ("cut" if answer.cut is not None else "")
        or (f"{answer.hold:.1f} s late" if answer.hold else "")
    )
    return (
        f"{request.text} {what} -> {answer.status} "
        f"{answer.content[:100].decode(errors='replace')} {fate}"
    ).rstrip()
