"""A network that lies: it holds requests back, sends them twice, and answers what is not so.

Its weather, and its days.
"""

import json
import random
from dataclasses import replace

from tests.simulation.day import CALM_S, limits_of, lived, settle, weathered
from tests.simulation.network import Job
from tests.simulation.weather import SETTLES_S, STORMS, Weather

CHANGES = ("held", "held", "twice", "twice", "named", "garbage", "turned")
"""What is done to a change."""
HELD_S = (9.0, 18.0, 25.0, 40.0, 80.0, 160.0)
"""After how long what was held back arrives.

Beyond the patience of the client, of the look-ups, and of everybody.
"""
AGAIN_S = (0.0, 0.0, 0.4, 5.0, 30.0, 120.0)
BAD_FIGURES = (float("nan"), float("inf"), -7, -0.5, 10**30, "ten", None, True, [], 1e-320)
BODIES = (
    b"{}",
    b"null",
    b"[]",
    b'{"status": "success"}',
    b'{"status": "success", "data": null}',
    b"OK",
    b"",
)
WORDS = (
    "caf\udce9",
    "\udfff\ud83d",
    "".join(map(chr, (*range(32), *range(127, 160)))),
    "\x1b]0;x\x07\x1b[2J",
    "a\nb\r\u2028\u2029",
    "\u202e\u2066",
    "[bold][@click=app.quit]x[/]",
    "=1+1",
    "x" * 5_000,
    "\U0001f600 \u0928\u0939\u0940\u0902",
)
"""Reasons as no broker gives them: halves of characters, controls, markup, formulas, no end."""
SAID = ("status_message", "status_message_raw", "rejection_reason")
"""Where the books say why."""
BOOKS = (
    "/orders",
    "/trades",
    "/portfolio/positions",
    "/portfolio/holdings",
    "/gtt/triggers",
    "/user/margins/equity",
)


class Liar:
    """Stands between the desk and the exchange.

    Every lie is drawn from the seed, while `chance` lasts.
    """

    def __init__(self, world):
        self._world = world
        self._rng = random.Random(f"{world.seed}:liar")
        self._words = random.Random(f"{world.seed}:words")
        self.chance = 0.0
        """Of a lie about a change."""
        self.poison = 0.0
        """Of a bad figure in a book that is read."""
        self.told = 0
        self.last = 0.0
        """When the last request that is under way arrives."""

    def perform(self, job, request):
        """Return what the desk is answered, None where it hears nothing."""
        rng = self._rng
        if request.method == "GET":
            bad = request.path in BOOKS and self.poison and rng.random() < self.poison
            answer = self._world.perform(request)
            return self._reworded(self._poisoned(answer) if bad else answer)
        if not self.chance or rng.random() >= self.chance:
            return self._world.perform(request)
        self.told += 1
        kind = rng.choice(CHANGES)
        self._world.note(f"liar: {kind} {request.method} {request.path}")
        return getattr(self, f"_{kind}")(job, request)

    def _held(self, job, request):
        self._later(self._rng.choice(HELD_S), job, request)

    def _twice(self, job, request):
        answer = self._world.perform(request)
        self._later(self._rng.choice(AGAIN_S), job, request)
        return answer

    def _named(self, _, request):
        """Carry it out, and name something else."""
        answer = self._world.perform(request)
        body = json.loads(answer.content)
        data = body.get("data")
        for key in ("order_id", "trigger_id"):
            if isinstance(data, dict) and key in data:
                data[key] = self._rng.choice(self._names(key))
                self._world.note(f"liar: names {data[key]!r}")
        return replace(answer, content=json.dumps(body).encode())

    def _names(self, key):
        exchange = self._world.exchange
        known = list(exchange.orders.orders) if key == "order_id" else list(exchange.gtts.triggers)
        return [
            *known,
            *known,
            "261120990000001" if key == "order_id" else 990_001,
            "",
            None,
            12.5,
            True,
            {},
        ]

    def _garbage(self, _, request):
        answer = self._world.perform(request)
        return replace(answer, status=200, content=self._rng.choice(BODIES))

    def _turned(self, _, request):
        """Carry it out, and say that it was refused."""
        answer = self._world.perform(request)
        status, kind = self._rng.choice(
            (
                (400, "OrderException"),
                (400, "InputException"),
                (429, "NetworkException"),
                (403, "PermissionException"),
            )
        )
        body = {"status": "error", "error_type": kind, "message": self._word()}
        return replace(answer, status=status, content=json.dumps(body).encode())

    def _later(self, seconds, job, request):
        loop = self._world.loop
        again = Job(None, job.asked)
        again.astray = True
        self.last = max(self.last, loop.time() + seconds)
        loop.call_later(seconds, self._arrive, again, request)

    def _arrive(self, job, request):
        network = self._world.network
        before, network.job = network.job, job
        self._world.perform(request)
        network.job = before
        self._world.touched()

    def _word(self):
        """Return an odd text, half a character before it."""
        return "\ud800" + self._words.choice(WORDS)

    def _reworded(self, answer):
        """Say something odd wherever a book says why, while lies are told."""
        if not (self.chance or self.poison) or not any(
            f'"{key}"'.encode() in answer.content for key in SAID
        ):
            return answer

        def odd(found):
            return {
                key: self._word() if key in SAID and value else value
                for key, value in found.items()
            }

        return replace(
            answer, content=json.dumps(json.loads(answer.content, object_hook=odd)).encode()
        )

    def _poisoned(self, answer):
        """Put a bad figure into one row, wherever it hits."""
        if answer.status != 200:
            return answer
        body, rng = json.loads(answer.content), self._rng
        data = body["data"]
        rows = data.get("net", [data]) if isinstance(data, dict) else data
        if not rows:
            return answer
        row = rng.choice(rows)
        places = [(row, key) for key in row]
        places += [(part, key) for part in row.values() if isinstance(part, dict) for key in part]
        places += [
            (leg, key)
            for legs in row.values()
            if isinstance(legs, list)
            for leg in legs
            if isinstance(leg, dict)
            for key in leg
        ]
        part, key = rng.choice(
            [(part, key) for part, key in places if isinstance(part[key], int | float)] or places
        )
        part[key] = rng.choice(BAD_FIGURES)
        self._world.note(f"liar: {key} is {part[key]!r}")
        return replace(answer, content=json.dumps(body).encode())


class Lies(Weather):
    """The usual weather, and a network that lies for a while."""

    kinds = (*STORMS, *("lies",) * 20, *("poison",) * 3)
    counts = (2, 4, 6, 10)
    settles_s = max(HELD_S) + SETTLES_S

    def _lies(self, rng, length):
        del length
        liar = self._world.network.liar
        liar.chance = rng.choice((0.2, 0.5, 1.0))

        def undo():
            liar.chance = 0.0

        return undo

    def _poison(self, rng, length):
        del length
        liar = self._world.network.liar
        liar.poison = rng.choice((0.2, 0.5, 1.0))

        def undo():
            liar.poison = 0.0

        return undo


def build(seed):
    """Return a day of lies that has not begun, and the second at which its calm is to end."""
    rng = random.Random(f"{seed}:lies")
    stormy = rng.uniform(30.0, 90.0)
    return weathered(seed, rng, stormy, limits_of(rng), _lying)


def _lying(world, stormy):
    world.network.liar = Liar(world)
    Lies(world, stormy)


def live(world, end):
    """Run a day of lies until everything has arrived that was held back, and both sides agree."""
    world.run(end)
    world.run(max(end, world.network.liar.last + CALM_S))
    settle(world)


def survive(seed):
    """Run the day of lies of a seed to its end and return its figures."""
    return lived(*build(seed), live)
