"""Reconciliation: the broker's books against ours, at the start, on reconnect and periodically."""

from collections import Counter
from collections.abc import Callable
from math import floor
from typing import NamedTuple

from compiled.model.events import CarriedDivision
from compiled.model.number_bounds import HELD
from compiled.model.values import NEVER, SECOND, Product, Side
from compiled.trading.kernel import Kernel
from engine.board_rows import UNREADABLE, DifferenceRow
from engine.board_writer import BoardWriter
from engine.books.book_difference import POSITIONS, BookDifference, DifferenceKind
from engine.books.books_snapshot import (
    DELIVERED,
    LATE,
    SKEW,
    At,
    BooksSnapshot,
    fired_tokens,
    foreign_traded,
    read_books,
)
from engine.books.differences import compare_books
from engine.books.journal_rows import readable, whole_number
from engine.books.position_differences import (
    DivisionState,
    held_shares,
    lacking_shares,
    moving_positions,
)
from engine.books.share_divisions import ShareDivision, disabled_gtts, divide_event, kept_divisions
from engine.books.share_register import IGNORED, ShareRegister
from engine.config.schema import ReconcileSettings
from engine.errors import OperatorError, RetryableError
from engine.market.calendar import ist_day
from engine.ports import Broker, Clock, Journal

SOON = 1 * SECOND
"""When to look again at what was seen for the first time: it may have been on its way."""
RETRY = 2 * SECOND
"""When to try books again that could not be read; twice as long with each time."""
AGREED = "agreed:"
"""How the key of what others had traded when the books agreed begins.

Day, token, product and side follow; the value is shares.
"""
RESTED = "the day is over, and nothing waits for this; looked at every two minutes"
AGAIN = "the broker's books can be read again; what they say is confirmed first"


class StandingDifference(NamedTuple):
    """A difference that was seen in two comparisons running, and when first (ns)."""

    difference: BookDifference
    since: int


class Reconciler:
    """Holds the differences between the broker and us; entries need an empty `open_differences`.

    A difference seen once may be on its way: it counts when the next comparison finds the same
    figures, or the order book shows who has just taken the shares. Agreement ends it at once. Where
    the broker's positions do not yet, or no longer, match the day's orders, the orders count until
    the positions follow, for `LATE` at most. Books that cannot be read twice running count as a
    difference: they are never taken for flat. An ignored difference is ignored until its figure
    changes, over restarts, too.
    """

    def __init__(
        self,
        kernel: Kernel,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        writer: BoardWriter,
        settings: ReconcileSettings,
        shares: ShareRegister | None = None,
    ) -> None:
        self.shares = shares or ShareRegister(journal, kernel.view.instruments())
        self.kernel = kernel
        self.broker = broker
        self.journal = journal
        self.clock = clock
        self.writer = writer
        self.settings = settings
        self._funds_bound = settings.funds_bound * 100
        self.standing: dict[str, StandingDifference] = {}
        self._covered: list[BookDifference] = []
        """Differences of positions that wait for a decision about an order or its trades."""
        self.late: dict[At, int] = {}
        """Shares by which positions still trail the day's orders, which count meanwhile."""
        self._lasting: dict[At, int] = {}
        """By how many shares they are, and stay: those were converted."""
        self._gaps: dict[At, tuple[int, int, int]] = {}
        """The gap in the last comparison, the positions then, and since when (ns)."""
        self._heard: dict[str, int] = {}
        """When the stream spoke of an order last."""
        self._agreed = _agreed_trades(journal, f"{AGREED}{ist_day(clock.now())}:")
        """Trades of others today when the books agreed last, by token, product and side."""
        self.unreadable = ""
        self.books: BooksSnapshot | None = None
        self._seen: dict[str, tuple[int, int]] = {}
        self.readers: list[Callable[[BooksSnapshot], None]] = []
        """Called with the books each time they have been read."""
        self.missed_reads = 0
        self.unreached = ""
        """Why nothing is compared at all, while nothing reaches the broker."""
        self.is_resting = False
        self.fresh: set[At] = set()
        """Token and product of positions the last comparison has newly seen differ."""
        self.unsure: set[At] = set()
        """These, and those that moved meanwhile: the ones without a verdict yet."""
        self.doubted: dict[int, str] = {}
        """Tokens that are thought to have been divided over night, and why."""
        self._awaited = {
            (each.token, product): (each, *shares)
            for each in kept_divisions(journal)
            for product, shares in each.awaited.items()
        }
        self._ignored = {
            str(row["key"]).removeprefix(IGNORED): whole_number(
                f"meta, row {row['key']}:", row["value"]
            )
            for row in journal.load("meta", "key LIKE ? AND value IS NOT NULL", (IGNORED + "%",))
        }

    def show_unreached(self, why: str) -> None:
        """Show that nothing can be compared, and why; empty: it can."""
        self.unreached = why
        self._show_differences()

    def rest_until_opening(self) -> None:
        """Let unreadable books rest with the day, until the next one opens."""
        self.is_resting = True
        self._show_differences()

    def lacking_shares(self) -> dict[tuple[int, Product, Side], int]:
        """Return our shares that are not in the books so far, by token, product and side."""
        standing = [*(each.difference for each in self.standing.values()), *self._covered]
        bought = foreign_traded(self.kernel, self.books) if self.books is not None else Counter()
        found = lacking_shares(self.kernel, standing, bought - self._agreed)
        doubts = self.doubts()
        for (token, product), shares in held_shares(self.kernel).items():
            if token in doubts and product in DELIVERED and shares > 0:
                found[token, Product[product], Side.BUY] = shares
        return found

    # what has been divided

    def doubts(self) -> dict[int, str]:
        """Return the tokens that may have been divided, with the reason."""
        return self.doubted | disabled_gtts(self.kernel)

    def apart(self, symbol: str, product: str) -> int:
        """Return the owner's shares, by the ignored differences."""
        return self._ignored.get(f"{symbol}:{product}", 0)

    def record_division(self, division: ShareDivision, symbol: str) -> CarriedDivision:
        """Write a division down and return its event for the kernel.

        The owner's shares are divided as far as they are credited.
        """
        division.note(self.journal)
        self.doubted.pop(division.token, None)
        for product, ours in held_shares(self.kernel).items():
            if product[0] != division.token or product[1] not in DELIVERED:
                continue
            self.unsure = self.unsure | {product}  # the next look says how many of them are there
            key, apart = f"{symbol}:{product[1]}", self.apart(symbol, product[1])
            awaited = division.awaited.get(product[1])
            if awaited is not None:
                self._awaited[product] = (division, *awaited)
            elif apart:
                # Fractions are paid out for the whole holding, not for each part: the owner's share
                # is the rest after ours.
                total = floor((ours + apart) * division.ratio) - floor(ours * division.ratio)
                self._ignored[key] = total
                self.journal.append("meta", {"key": IGNORED + key, "value": str(total)})
        return divide_event(division)

    def _take_credits(
        self, found: list[BookDifference], unsure: set[tuple[int, str]]
    ) -> list[BookDifference]:
        """Take the broker's credit of a split or bonus, ours and the owner's."""
        left = []
        for each in found:
            division, ours, total = self._awaited.get((each.token, each.product), (None, 0, 0))
            # The whole credit has come at once, ours and the owner's: what is beyond ours is the
            # owner's again.
            if division is not None and each.kind in POSITIONS and each.figure == total - ours:
                self._set_apart(each.key, each)
            else:
                left.append(each)
        unsure = unsure | {(each.token, each.product) for each in left}
        for at in [at for at in self._awaited if at not in unsure]:
            division, _, _ = self._awaited.pop(at)
            division.awaited.pop(at[1], None)
            division.note(self.journal)
        return left

    def note_order_event(self, order_id: str) -> None:
        """Take note of an event of an order.

        One book may show it before the other.
        """
        self._heard[order_id] = self.clock.now()

    @property
    def open_differences(self) -> tuple[str, ...]:
        """Return the differences that keep the desk from entering, a line each."""
        found = [
            each.difference.text
            for each in self.standing.values()
            if not self.is_ignored(each.difference)
        ]
        return (self.unreadable, *found) if self.unreadable else tuple(found)

    async def compare_once(self, *, at_once: bool = False) -> int:
        """Compare once; return in how many ns to look again, 0 for as usual.

        `at_once` counts differences seen once.
        """
        # Taken before the first read: a fill during the reading moves a position, which is then
        # left out and not compared with a book of another moment.
        before = held_shares(self.kernel)
        try:
            self.books = await read_books(self.broker, self.shares)
        except (RetryableError, OperatorError) as error:
            self.missed_reads += 1
            if at_once or self.missed_reads > 1:
                self.unreadable = f"the broker's books cannot be read: {error}"
                self._show_differences()
            return RETRY << min(self.missed_reads, 8) if self.unreadable else SOON
        self.missed_reads = 0
        for reader in self.readers:
            reader(self.books)
        # The broker's books follow each other with a lag: what the order book already shows is no
        # difference of the position book.
        self.late = self._late_positions(self.books)
        divided = DivisionState(
            self.doubts(), {at: ours for at, (_, ours, _) in self._awaited.items()}
        )
        # cash is as far apart as orders are
        bound = NEVER if self.late or self._heard else self._funds_bound
        moved = moving_positions(self.kernel, self.books, before)
        differing = self._take_credits(
            compare_books(
                self.kernel,
                self.books,
                before=before,
                bound=bound,
                apart=self._ignored,
                late=self.late,
                divided=divided,
            ),
            moved,
        )
        found = {each.key: each for each in differing}
        fresh = self._update_standing(found, before, at_once=at_once)
        apart = {
            each.token
            for each in differing
            if each.figure and each.kind in {*POSITIONS, DifferenceKind.TRADE, DifferenceKind.ORDER}
        }
        self._note_agreement(set(self.kernel.state.markets) - apart - {token for token, _ in moved})
        self.unsure = self.fresh | moved
        # a desk that was held stays so: nothing may let it go between two looks
        self.unreadable = AGAIN if self.unreadable and fresh else ""
        self._show_differences()
        # A new difference is looked at again at once: it either goes, or counts, within seconds.
        return SOON if fresh or self.late or fired_tokens(self.kernel, self.books) else 0

    def _note_agreement(self, tokens: set[int]) -> None:
        """Take note that the owners of these shares are known.

        Trades of others until now are included.
        """
        for at, shares in (
            foreign_traded(self.kernel, self.books).items() if self.books is not None else ()
        ):
            if at[0] in tokens and shares != self._agreed[at]:
                self._agreed[at] = shares
                key = f"{AGREED}{ist_day(self.clock.now())}:{at[0]}:{at[1]}:{at[2].name}"
                self.journal.append("meta", {"key": key, "value": str(shares)})

    def _late_positions(self, books: BooksSnapshot) -> dict[At, int]:
        """Return by how many shares positions still trail the day's orders.

        An event of an order there must be recent; a gap that lasts longer than `LATE` has another
        cause, nor does it count for shares of one product that are there as another: they were
        converted.
        """
        now, before, lasting = self.clock.now(), self._gaps, self._lasting
        self._heard = {order_id: at for order_id, at in self._heard.items() if now - at < LATE}
        stirred = self._stirred_positions(books, now)
        stand: Counter[At] = Counter()
        for each in books.positions:
            stand[each.token, each.product] += each.quantity
        new = {
            at: books.gaps.get(at, 0) - lasting.get(at, 0)
            for at in books.gaps.keys() | lasting.keys()
        }
        # Shares that leave one product and arrive in another cancel within their token: a
        # conversion by the owner, not a lag.
        moved: Counter[int] = Counter()
        for (token, _), gap in new.items():
            moved[token] += gap
        self._gaps, self._lasting, late = {}, {}, {}
        for at, gap in new.items():
            whole = books.gaps.get(at, 0)
            *was, since = before.get(at, (whole, stand[at], now))
            # Any change restarts the time: the position book is moving, and may arrive yet.
            since = since if was == [whole, stand[at]] else now
            self._gaps[at] = whole, stand[at], since
            if whole and gap and moved[at[0]] and at in stirred and now - since < LATE:
                late[at] = gap
                whole -= gap
            if whole:
                self._lasting[at] = whole
        return late

    def _stirred_positions(self, books: BooksSnapshot, now: int) -> set[At]:
        """Return token and product of recent trades, and of our orders in the stream.

        An order that no book lists yet may be that of a GTT of ours.
        """
        out = self.kernel.order_store
        recent = [each for each in books.orders if each.filled and now - each.ts < LATE + SKEW]
        found = {
            (books.twins.get(int(each.token), int(each.token)), each.product) for each in recent
        }
        ours = [
            order
            for order_id in self._heard
            if (order := out.by_order_id.get(order_id)) is not None
        ]
        found |= {(int(order.token), order.product.name) for order in ours}
        if self._heard.keys() - out.by_order_id.keys() - {each.order_id for each in books.orders}:
            found |= {
                (int(gtt.token), gtt.product.name) for gtt in out.by_gtt_id.values() if gtt.live
            }
        return found

    def _update_standing(
        self, found: dict[str, BookDifference], before: Counter[At], *, at_once: bool
    ) -> bool:
        """Bring the standing differences up to date; return whether a new one was seen."""
        now, seen = self.clock.now(), self._seen
        self._seen = {key: (each.figure, seen.get(key, (0, now))[1]) for key, each in found.items()}
        known = [
            key
            for key, each in found.items()
            if at_once or each.witnessed or self.is_same_figure(each, seen.get(key, (0, 0))[0])
        ]
        unbooked = {
            each.token
            for key, each in found.items()
            if each.kind is DifferenceKind.TRADE and key not in known
        }
        # trades on their way to us: as many may have been missing a moment ago for others
        known = [
            key
            for key in known
            if found[key].kind not in POSITIONS or found[key].token not in unbooked
        ]
        self.fresh = {
            (each.token, each.product)
            for key, each in found.items()
            if each.kind in POSITIONS and key not in known
        }
        stands = {key: StandingDifference(found[key], self._seen[key][1]) for key in known}
        # What stood before and could not be judged now, as our own position moved, goes on
        # standing: a busy share must not release the desk.
        for key, old in self.standing.items():
            if key not in stands and (key in found or self._was_moving(old.difference, before)):
                stands[key] = old
        for key in [
            key for key, each in stands.items() if key in known and _is_owners_only(each.difference)
        ]:
            self._set_apart(key, stands.pop(key).difference)
        unsettled = {
            each.difference.token
            for each in stands.values()
            if each.difference.kind in {DifferenceKind.TRADE, DifferenceKind.ORDER}
            and not self.is_ignored(each.difference)
        }
        # A missing trade explains the position it makes: the operator decides it once, at the
        # trade.
        self.standing, self._covered = {}, []
        for key, each in stands.items():
            if each.difference.kind in POSITIONS and each.difference.token in unsettled:
                self._covered.append(each.difference)
            else:
                self.standing[key] = each
        return len(known) < len(found)

    def is_same_figure(self, difference: BookDifference, figure: int) -> bool:
        """Return whether a figure is that of a difference.

        Funds are compared within the bound: they move with every charge.
        """
        if difference.kind is DifferenceKind.FUNDS:
            return figure != 0 and abs(difference.figure - figure) <= self._funds_bound
        return difference.figure == figure

    def _was_moving(self, difference: BookDifference, before: Counter[At]) -> bool:
        """Return whether our position moved during the comparison, which is void then."""
        at = difference.token, difference.product
        return difference.kind in POSITIONS and held_shares(self.kernel)[at] != before[at]

    def is_confirmed(self, difference: BookDifference) -> bool:
        """Return whether the last comparison has found a standing difference unchanged."""
        return self.is_same_figure(difference, self._seen.get(difference.key, (0, 0))[0])

    # what the operator has decided

    def is_ignored(self, difference: BookDifference) -> bool:
        """Return whether the operator ignores a difference as it stands."""
        if difference.kind is DifferenceKind.AWAITED:
            return True
        if difference.kind in POSITIONS:
            return difference.figure == 0
        figure = self._ignored.get(difference.key)
        if figure is not None and difference.kind is DifferenceKind.GTT:
            return figure * difference.figure > 0  # the owner's, however he changes it
        return figure is not None and self.is_same_figure(difference, figure)

    def ignore(self, difference: BookDifference) -> None:
        """Leave a difference as it is from now on, until its figure changes.

        Its shares are the owner's from now on.
        """
        more, total = (
            difference.kind is DifferenceKind.QUANTITY and difference.figure > 0,
            difference.figure + difference.apart,
        )
        if more and difference.apart < 0 and difference.product in DELIVERED:
            # what has come is the owner's, and ours are still missing
            difference = difference._replace(apart=0)
        self._set_apart(difference.key, difference)
        if difference.kind in POSITIONS and difference.key in self.standing:
            stood = self.standing[difference.key]
            apart = self._ignored[difference.key]
            left = difference._replace(figure=total - apart, apart=apart)
            self.standing[difference.key] = stood._replace(difference=left)
            self._seen[difference.key] = (left.figure, stood.since)
            self._note_agreement({difference.token})
        self._show_differences()

    def _set_apart(self, key: str, difference: BookDifference) -> None:
        figure = difference.figure + difference.apart
        self._ignored[key] = figure
        self.journal.append(
            "meta", {"key": IGNORED + key, "value": str(figure) if figure else None}
        )

    def take_off(self, difference: BookDifference) -> None:
        """Take off differences acted upon; two comparisons that find them restore them."""
        self.standing.pop(difference.key, None)
        self._seen.pop(difference.key, None)
        if difference.kind in POSITIONS and difference.figure:
            self._note_agreement({difference.token})
            self._show_differences()
            return  # what is set apart beside it stays so
        # Decided again, so the earlier word on it is void, and must not hide the next one.
        if self._ignored.pop(difference.key, None) is not None:
            self.journal.append("meta", {"key": IGNORED + difference.key, "value": None})
        self._show_differences()

    def _show_differences(self) -> None:
        section, put = self.writer.board.differences, self.writer.put
        for key, (each, since) in self.standing.items():
            choices = tuple(choice.value for choice in each.choices)
            put(
                section,
                key,
                DifferenceRow(
                    key,
                    each.kind.value,
                    symbol=each.symbol,
                    theirs=each.theirs,
                    ours=each.ours,
                    since=since,
                    choices=choices,
                    ignored=self.is_ignored(each),
                ),
            )
        if why := self.unreadable or self.unreached:
            text = f"{RESTED}: {why}" if self.is_resting else why
            put(
                section,
                UNREADABLE,
                DifferenceRow(
                    UNREADABLE,
                    UNREADABLE,
                    symbol="",
                    theirs=text,
                    ours="",
                    since=0,
                    choices=(),
                    ignored=self.is_resting,
                ),
            )
        self.writer.keep(section, {*self.standing, UNREADABLE} if why else set(self.standing))


def _agreed_trades(journal: Journal, today: str) -> Counter[tuple[int, str, Side]]:
    """Return the trades of others when the books agreed, of the keys that begin so."""
    found: Counter[tuple[int, str, Side]] = Counter()
    for row in journal.load("meta", "key LIKE ? AND value IS NOT NULL", (today + "%",)):
        with readable(f"meta, row {row['key']}:"):
            token, product, side = str(row["key"]).removeprefix(today).split(":")
            found[int(token), product, Side[side]] = whole_number(
                f"meta, row {row['key']}:", row["value"], 0, int(HELD)
            )
    return found


def _is_owners_only(difference: BookDifference) -> bool:
    """Return whether only the owner's shares have become fewer: none of ours are concerned."""
    apart, figure = difference.apart, difference.figure
    fewer = figure * apart < 0 and abs(figure) <= abs(apart)
    return difference.kind is DifferenceKind.UNMANAGED and fewer
