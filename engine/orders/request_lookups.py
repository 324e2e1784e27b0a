"""The outcome of requests by the broker's books, whatever an answer said.

Orders are known by their tag, GTTs by the legs they were asked for with. An id in an answer is
believed when the books show it; a refusal, when a book read after it shows nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from compiled.model.events import BrokerAnswer, GttUpdate, OrderUpdate, RequestOutcome, RequestVerb
from compiled.model.values import SECOND, Gtt, GttStatus, Order, OrderPurpose
from compiled.trading.kernel import Kernel
from compiled.trading.reports.gtt_reports import has_same_legs
from engine.books.books_snapshot import SKEW
from engine.config.schema import GatewaySettings
from engine.ports import Clock

STANDING: Final = frozenset({GttStatus.ACTIVE, GttStatus.TRIGGERED})
LONGEST_REST_S: Final = 8.0
"""Between two looks at books that cannot be read."""
NOT_ITS_OWN: Final = "the broker's books do not have it under the id of its answer"


@dataclass(slots=True)
class UnresolvedRequest:
    """An intent of unknown outcome.

    `late`: an entry that the usual looks have not found, and that may still come.
    """

    since: int
    next_look: int
    misses: int = 0
    late: bool = False


@dataclass(frozen=True, slots=True)
class RequestRefusal:
    """A refused request for the look after `moves`, and the wait before the next (ns)."""

    moves: int
    outcome: RequestOutcome
    reason: str
    wait: int


class RequestLookups:
    """Searches the books just read, and posts the outcome of our requests.

    A request that has had no answer for `settle_s` is looked for as well, while it goes on waiting
    for it. A sent request may arrive until `late_s` later: an entry is not given up before, and for
    the others the books are watched so long.
    """

    def __init__(
        self,
        kernel: Kernel,
        clock: Clock,
        settings: GatewaySettings,
        post: Callable[[object], None],
    ) -> None:
        self.kernel = kernel
        self.clock = clock
        self.settings = settings
        self.post = post
        self.unresolved: dict[int, UnresolvedRequest] = {}
        self.unknown = 0
        self.failing_since = 0
        """Since when the books cannot be read, ns; 0: they can."""
        self.failure = ""
        """Why not."""
        self.paused_until = 0
        """Until when they are left alone, ns."""
        self._failed = 0
        self._unanswered: dict[int, int] = {}
        self._refused: dict[int, RequestRefusal] = {}
        self._unproven: dict[int, int] = {}
        """When the books must show an id at the latest, by intent."""
        self._restored: set[int] = set()
        """Those of an earlier run, whose last change may not have reached the disk."""
        self._given_up: dict[int, int] = {}
        """Until when what was given up may still arrive, by intent."""
        self._watch_at = 0

    @property
    def is_seeking(self) -> bool:
        """Return whether an intent is looked for that the usual looks may still find."""
        return bool(self._refused) or any(not item.late for item in self.unresolved.values())

    # what is to be found out

    def note_sent(self, intent: int) -> None:
        """Take note of a request that waits for its answer."""
        self._unanswered[intent] = self._time_in(self.settings.settle_s)

    def note_answered(self, intent: int) -> None:
        """Take note that it has one, or will have none."""
        self._unanswered.pop(intent, None)

    def look_for(self, intent: int) -> None:
        """Start looking for the outcome of an intent."""
        now = self.clock.now()
        self.unknown += 1
        # Being looked for is more than waiting for proof: the id of the answer counts for nothing
        # any more.
        self._unproven.pop(intent, None)
        self.unresolved[intent] = UnresolvedRequest(now, now)

    def note_refusal(
        self, intent: int, moves: int, outcome: RequestOutcome, reason: str, wait: int
    ) -> None:
        """Believe a refusal only when a book read after it does not show the request.

        That book's reading begins later than `moves`; `wait` (ns) is the wait before the next
        request.
        """
        self._refused[intent] = RequestRefusal(moves, outcome, reason, wait)

    def expect_proof(self, intent: int, *, restored: bool = False) -> None:
        """Expect the books to show an intent under the id of its answer, unless they have.

        `restored` marks one of an earlier run.
        """
        out = self.kernel.order_store
        if (each := out.orders.get(intent) or out.gtts.get(intent)) is not None and each.proven:
            return
        self._unproven[intent] = self._time_in(self.settings.settle_s)
        if restored:
            self._restored.add(intent)

    def note_change(self, intent: int) -> None:
        """Take note that a GTT is changed.

        From now on its legs say nothing about whether its id is its own.
        """
        self._unproven.pop(intent, None)

    def is_foreign_id(self, intent: int, broker_id: str) -> bool:
        """Return whether the id in the answer to an intent is that of another order or GTT."""
        out = self.kernel.order_store
        order = out.orders.get(intent)
        if order is not None:
            return self.kernel.order_reports.belongs_to_another(order, broker_id)
        known = out.by_gtt_id.get(int(broker_id))
        return known is not None and known.intent != intent

    def awaits_proof(self, intent: int) -> bool:
        """Return whether nothing may be asked of an intent yet.

        Its id is not proven then, and may be somebody else's.
        """
        return self.clock.now() < self._unproven.get(intent, 0)

    # when to look, and at what

    def poll_due(self) -> int | None:
        """Return when the next look at the books is due because of something unknown."""
        dues = [item.next_look for item in self.unresolved.values()]
        dues += [*self._unanswered.values(), *self._unproven.values()]
        if self._given_up or any(
            intent in self.kernel.order_store.gtts for intent in self._unproven
        ):
            dues.append(self._watch_at)
        # A refusal waits for the next look, so the next look is at once.
        if self._refused:
            dues.append(0)
        return max(min(dues), self.paused_until) if dues else None

    def pause_reads(self, why: str) -> None:
        """Leave the books alone for a while, longer each time: they could not be read."""
        self.failing_since = self.failing_since or self.clock.now()
        self.failure = why
        # Doubling from half the usual pause: the first failure is mostly a hiccup, a long outage is
        # not to be met with a storm of looks.
        self.paused_until = self._time_in(
            min(self.settings.lookup_every_s / 2 * 2 ** min(self._failed, 6), LONGEST_REST_S)
        )
        self._failed += 1

    def waiting_since(self) -> tuple[int, str]:
        """Return since when (ns, 0: not) the books or an outcome are waited for, and its text."""
        waits = [
            (item.since, "the outcome of a request")
            for item in self.unresolved.values()
            if not item.late
        ]
        if self.failing_since:
            waits.append((self.failing_since, self.failure))
        return min(waits, default=(0, ""))

    @property
    def wants_gtts(self) -> bool:
        """Return whether the list of GTTs is needed."""
        asked = {*self.unresolved, *self._unproven, *self._refused, *self._given_up}
        return bool(self.unresolved) or any(
            intent in self.kernel.order_store.gtts for intent in asked
        )

    def verify_ids(self, orders: list[OrderUpdate], gtts: list[GttUpdate] | None) -> None:
        """Compare the ids that answers gave with the books, before anything in them is believed."""
        now = self.clock.now()
        rows = {update.order_id: update for update in orders}
        # The tag is ours and unique; an id is the broker's word in an answer, which may have been
        # another's. So the tag in the book proves, and the id alone does not.
        tags = {update.tag for update in orders}
        listed = None if gtts is None else {int(update.gtt_id): update for update in gtts}
        for intent, due in list(self._unproven.items()):
            order = self.kernel.order_store.orders.get(intent)
            proof = (
                self._gtt_proof(intent, listed)
                if order is None
                else _order_proof(order, rows, tags)
            )
            if proof is None and now < due:
                continue
            del self._unproven[intent]
            # The book shows our id with another's tag, or nothing in time: from here on it is an
            # unknown request.
            if not proof:
                self.look_for(intent)
                self._post_answer(intent, RequestOutcome.UNKNOWN, reason=NOT_ITS_OWN)

    def _gtt_proof(self, intent: int, listed: dict[int, GttUpdate] | None) -> bool | None:
        """Return whether the broker lists a GTT as it was asked for; None: not known yet."""
        gtt = self.kernel.order_store.gtts.get(intent)
        if gtt is None or not gtt.live or gtt.proven:
            return True
        if listed is None or not gtt.gtt_id:
            return None
        update = listed.get(int(gtt.gtt_id))
        if update is None:
            return None
        # GTTs have no tag. Their legs have to serve: product and shares first, then any version of
        # legs that we have asked for.
        if not same_shares(update, gtt):
            return False
        if any(
            legs and has_same_legs(update.legs, legs) for legs in (gtt.legs, gtt.pending, gtt.made)
        ):
            return True
        return (
            intent in self._restored and self._is_our_change(update, gtt)
        ) or self._is_foreign_change(update, gtt, listed)

    def _is_our_change(self, update: GttUpdate, gtt: Gtt) -> bool:
        """Return whether a GTT is one of ours after a change that never reached the disk.

        It has the same sides, and is no other one of ours.
        """
        sides = [(leg.side, leg.quantity) for leg in gtt.legs]
        others = (other for other in self.kernel.order_store.gtts.values() if other is not gtt)
        return [(leg.side, leg.quantity) for leg in update.legs] == sides and not any(
            asks_for(update, other) for other in others
        )

    def _is_foreign_change(self, update: GttUpdate, gtt: Gtt, listed: dict[int, GttUpdate]) -> bool:
        """Return whether somebody has changed a GTT of ours before it was listed.

        It is no other one of ours, and none is as it was asked for.
        """
        sides = {leg.side for leg in gtt.made}
        # The owner may move a stop in the broker's app before we have seen it listed: made after
        # ours was asked for, with its sides, and nothing else of ours fits.
        late = update.ts + SKEW >= gtt.created and {leg.side for leg in update.legs} == sides
        others = (other for other in self.kernel.order_store.gtts.values() if other is not gtt)
        return (
            late
            and not any(asks_for(each, gtt) for each in listed.values() if each.status in STANDING)
            and not any(asks_for(update, other) for other in others)
        )

    # what became of it

    def resolve(self, orders: list[OrderUpdate], gtts: list[GttUpdate] | None, began: int) -> None:
        """Search the books just read for everything unknown; their reading `began` at that move."""
        now = self.clock.now()
        self.failing_since = self.paused_until = self._failed = 0
        # Requests still waiting for their answer are in these books if they arrived; each gets
        # another look.
        for intent, due in self._unanswered.items():
            if due <= now:
                self._unanswered[intent] = self._time_in(self.settings.lookup_every_s)
        self._given_up = {intent: until for intent, until in self._given_up.items() if until > now}
        self._watch_at = self._time_in(self.settings.lookup_every_s)
        tags: dict[str, OrderUpdate] = {}
        for update in orders:
            tags.setdefault(update.tag, update)
        taken: set[str] = set()
        for intent, refusal in list(self._refused.items()):
            # A book whose reading began before the refusal came may be older than the request
            # itself.
            found = self._find_order(intent, tags, gtts, taken) if began > refusal.moves else None
            if found is not None:
                del self._refused[intent]
                self._post_found(intent, found, taken, refusal)
        for intent, item in list(self.unresolved.items()):
            found = self._find_order(intent, tags, gtts, taken) if item.next_look <= now else None
            if found:
                del self.unresolved[intent]
                self._post_found(intent, found, taken)
            # None is no miss: the list it would stand in was not read.
            elif found is not None:
                self._count_miss(intent, item, now)

    def _post_found(
        self, intent: int, found: str, taken: set[str], refusal: RequestRefusal | None = None
    ) -> None:
        if found:
            # Two requests of the same legs must not find the same GTT.
            taken.add(found)
            self._post_answer(intent, RequestOutcome.ACCEPTED, found)
        elif refusal is not None:
            now, why = self.clock.now(), refusal.reason
            self.post(
                BrokerAnswer(
                    now,
                    intent,
                    RequestVerb.PLACE,
                    refusal.outcome,
                    reason=why,
                    wait=refusal.wait,
                )
            )

    def _count_miss(self, intent: int, item: UnresolvedRequest, now: int) -> None:
        """Give up an intent that was missed often and long enough.

        An entry is given up only when it can no longer arrive.
        """
        item.misses += 1
        item.next_look = self._time_in(self.settings.lookup_every_s)
        if (
            item.misses < self.settings.lookups
            or now - item.since < self.settings.settle_s * SECOND
        ):
            return
        order, until = (
            self.kernel.order_store.orders.get(intent),
            item.since + int(self.settings.late_s * SECOND),
        )
        # An entry that arrives late would open a position, so it is watched until it cannot; the
        # others are given up, and the books watched beside (ADR 5).
        if order is not None and order.purpose is OrderPurpose.ENTRY and now < until:
            item.late = True
            return
        del self.unresolved[intent]
        self._given_up[intent] = until
        self._post_answer(intent, RequestOutcome.LOST, reason="not in the broker's books")

    def _find_order(
        self,
        intent: int,
        tags: dict[str, OrderUpdate],
        gtts: list[GttUpdate] | None,
        taken: set[str],
    ) -> str | None:
        """Return the broker's id of an intent, empty where he has none; None: not looked."""
        order = self.kernel.order_store.orders.get(intent)
        if order is None:
            return self._find_gtt(intent, gtts, taken)
        update = tags.get(order.tag)
        return update.order_id if update else ""

    def _find_gtt(self, intent: int, gtts: list[GttUpdate] | None, taken: set[str]) -> str | None:
        """Return the id of an unclaimed live GTT at the broker with the same legs.

        It is None where the list was not read.
        """
        gtt = self.kernel.order_store.gtts.get(intent)
        if gtts is None or gtt is None:
            return None
        known = self.kernel.order_store.by_gtt_id
        for update in gtts:
            mine = known.get(update.gtt_id)
            free = (mine is None or mine is gtt) and str(update.gtt_id) not in taken
            if free and update.status in STANDING and asks_for(update, gtt):
                return str(update.gtt_id)
        return ""

    def _time_in(self, seconds: float) -> int:
        return self.clock.now() + int(seconds * SECOND)

    def _post_answer(
        self, intent: int, outcome: RequestOutcome, broker_id: str = "", reason: str = ""
    ) -> None:
        self.post(
            BrokerAnswer(
                self.clock.now(),
                intent,
                verb=RequestVerb.PLACE,
                outcome=outcome,
                broker_id=broker_id,
                reason=reason,
            )
        )


def _order_proof(order: Order, rows: dict[str, OrderUpdate], tags: set[str]) -> bool | None:
    """Return whether the book shows an order, None if that is not known yet.

    It is False where the id of its answer is another's.
    """
    if not order.live or order.proven:
        return True
    row = rows.get(order.order_id)
    if row is not None and row.tag != order.tag:
        return False
    return True if order.tag in tags else None


def asks_for(update: GttUpdate, gtt: Gtt) -> bool:
    """Return whether a GTT at the broker has the legs one of ours was asked for with."""
    return same_shares(update, gtt) and has_same_legs(update.legs, gtt.made)


def same_shares(update: GttUpdate, gtt: Gtt) -> bool:
    """Return whether two GTTs sell the same shares; products are never mixed."""
    return update.token == gtt.token and update.product == gtt.product.name
