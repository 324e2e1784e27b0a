"""The forms of what is done to a position: what was typed, what it means, and its faults."""

from collections.abc import Sequence
from typing import Final

from engine.board_rows import Board, PositionRow
from engine.numbers import count, gain, price, rupees
from engine.operator_requests import (
    AddRungRequest,
    EngineRequest,
    ExitRequest,
    ReverseRequest,
    StopRequest,
)
from engine.texts import plain_text

ALL: Final = "all rungs"
BREAK_EVEN: Final = "break-even"
HALF: Final = "50%"
MOST_LINES: Final = 6
"""Rungs that are named one by one; the others are counted."""
_MOST: Final = 1e12


class ActError(ValueError):
    """A fault of what was typed, in one line for the operator."""


def held_rows(board: Board, symbol: str) -> list[PositionRow]:
    """Return the rungs of a symbol that hold shares, oldest first."""
    return [row for row in board.positions.rows[:] if row.symbol == symbol and row.quantity]


def rung_names(rows: Sequence[PositionRow]) -> dict[str, PositionRow]:
    """Return rungs by the name that each has beside the others of its symbol."""
    found: dict[str, PositionRow] = {}
    for row in rows:
        name = f"{row.strategy} {'P1' if row.rung == '-' else row.rung}"
        # Orders by hand are ladders of their own, and each begins with a P1.
        found[name if name not in found else f"{name} #{row.key}"] = row
    return found


class ActForm:
    """One act on the rungs of a symbol, or on one of them: fields, words and the request.

    `key` names the rung under the cursor. The texts of its fields and the chosen scope come from
    the dialog; every method reckons with the board as it is then.
    """

    act = ""
    labels: tuple[str, ...] = ()
    """The labels of its fields."""
    hint = ""
    prices: tuple[int, ...] = ()
    """Which of the fields are prices, moved by the arrows."""
    scoped = True
    """Whether it may be done to one rung alone."""
    whole = True
    """Whether it begins with all rungs."""

    def __init__(self, board: Board, symbol: str, key: str) -> None:
        self.board = board
        self.symbol = symbol
        self.key = key
        names = rung_names(held_rows(board, symbol))
        # With one rung there is nothing to choose, and "all" is the shorter request.
        own = [name for name, row in names.items() if row.key == key]
        self.scope = own[0] if own and not self.whole and len(names) > 1 else ALL
        self.at_first = self.first_texts()

    @property
    def title(self) -> str:
        """Return the question."""
        return f"{self.act} {self.symbol}?"

    @property
    def scopes(self) -> list[str]:
        """Return what it may be done to."""
        names = rung_names(held_rows(self.board, self.symbol))
        return [ALL, *names] if self.scoped and len(names) > 1 else [ALL]

    def rows(self, scope: str) -> list[PositionRow]:
        """Return the rungs that a scope means."""
        rows = held_rows(self.board, self.symbol)
        if scope in {"", ALL}:
            return rows
        return [row for name, row in rung_names(rows).items() if name == scope]

    def row(self, scope: str) -> PositionRow | None:
        """Return the rung whose figures are shown: the chosen one, that under the cursor, any."""
        rows = self.rows(scope)
        return next((row for row in rows if row.key == self.key), rows[-1] if rows else None)

    def first_texts(self) -> list[str]:
        """Return what stands in the fields at the start."""
        return [""] * len(self.labels)

    def lines(self, texts: Sequence[str], scope: str) -> list[str]:
        """Return what is held, and what would come of the act at the prices of now."""
        del texts
        rows = self.rows(scope)
        if not rows:
            return ["It is flat already."]
        held = sum(row.quantity for row in rows)
        last = rows[-1].ltp
        products = " ".join(dict.fromkeys(row.product for row in rows if row.product))
        pnl = gain(sum(row.pnl for row in rows)).strip()
        found = [f"{count(held)} {products} at {price(last)} · P&L {pnl}".replace("  ", " ")]
        for name, row in list(rung_names(rows).items())[:MOST_LINES]:
            stop = f"stop {price(row.stop)}" if row.stop else "no stop"
            found.append(
                f"  {plain_text(name)}: {count(row.quantity)} from {price(row.average)}, "
                f"{stop} · {gain(row.pnl).strip()}"
            )
        if len(rows) > MOST_LINES:
            found.append(f"  and {len(rows) - MOST_LINES} more")
        return found

    def verb(self, texts: Sequence[str], scope: str) -> str:
        """Return what the button says."""
        raise NotImplementedError

    def request(self, texts: Sequence[str], scope: str) -> EngineRequest:
        """Return the request; raise `ActError` for the first thing that is wrong."""
        raise NotImplementedError

    def shortcut(self, field: int, letter: str) -> str:
        """Return the text that a letter puts into a field, empty where it is just typed."""
        del field, letter
        return ""

    def stepped(self, text: str, ticks: int) -> str:
        """Return a price moved by so many ticks of its grid; an empty one begins at the last."""
        row, tick = self.row(""), self.tick
        if row is None or tick <= 0.0:
            return text
        try:
            value = _typed_figure("price", text)
        except ActError:
            return text
        if value <= 0.0:
            value, ticks = row.ltp, 0
        # By whole ticks: sums of 0.05 would drift off the grid.
        return f"{max(round(value / tick) + ticks, 1) * tick:.2f}"

    @property
    def tick(self) -> float:
        """Return the grid of its prices, ₹; 0.0 where the symbol is not under watch."""
        watched = self.board.watch.rows[:]
        return next((row.tick for row in watched if row.symbol == self.symbol), 0.0)

    def rung_key(self, scope: str) -> str:
        """Return the key of the rung that a scope means, empty for all."""
        rows = self.rows(scope)
        return "" if scope == ALL or not rows else rows[0].key


class ExitForm(ActForm):
    """Leave everything, so many shares, or so many percent."""

    act = "Exit"
    labels = ("shares",)
    hint = "all · 50 · 50% · h half"

    def lines(self, texts: Sequence[str], scope: str) -> list[str]:
        """Return what would leave, and what it would cost."""
        rows = self.rows(scope)
        found = super().lines(texts, scope)
        if not rows:
            return found
        total = _shares_of(rows)
        try:
            leaves = self._leaving_shares(texts[0], total)
        except ActError:
            leaves = total
        last = rows[-1].ltp
        cost = int(sum(row.leaving for row in rows) * leaves / max(total, 1))
        kept = "its GTTs go, too" if leaves == total else "the rest stays under its stop"
        sides = dict.fromkeys("SELL" if row.quantity > 0 else "BUY" for row in rows)
        side = " and ".join(sides)
        leaving = f"{side} {count(leaves)} {plain_text(self.symbol)} at about {price(last)}"
        return [
            f"{leaving}, worth {price(leaves * last)}",
            *found,
            f"charges of the exit about {rupees(cost)}, not in that P&L yet; {kept}",
        ]

    def verb(self, texts: Sequence[str], scope: str) -> str:
        """Return how many of how many leave."""
        held = _shares_of(self.rows(scope))
        try:
            return f"Exit {count(self._leaving_shares(texts[0], held))} of {count(held)}"
        except ActError:
            return "Exit"

    def request(self, texts: Sequence[str], scope: str) -> EngineRequest:
        """Return the exit; the shares of a part are of the newest rungs."""
        rows = self.rows(scope)
        held = _shares_of(rows)
        if not held:
            raise ActError(f"{self.symbol} is flat already")
        leaves = self._leaving_shares(texts[0], held)
        # Without a figure: shares that fill on the way to the desk leave with the others.
        if scope == ALL and leaves == held:
            return ExitRequest(rows[0].token, self.symbol)
        quantity = 0 if leaves == held else leaves
        return ExitRequest(rows[0].token, self.symbol, quantity=quantity, rung=self.rung_key(scope))

    def shortcut(self, field: int, letter: str) -> str:
        """Return a half for `h`."""
        del field
        return HALF if letter == "h" else ""

    def _leaving_shares(self, text: str, held: int) -> int:
        """Return the shares that a text means; raise `ActError`."""
        if not text:
            return held
        if text.endswith("%"):
            percent = _typed_figure("shares", text.removesuffix("%"))
            if percent > 100:
                raise ActError(f"shares: {percent:g} % is more than all of it")
            # The billionth: 29 % of 100 is 28.999… in floats.
            shares = int(held * percent / 100.0 + 1e-9)
            if shares < 1:
                raise ActError(f"shares: {percent:g} % of {held} is less than one")
            return shares
        value = _typed_figure("shares", text)
        if value != int(value) or value < 1:
            raise ActError(f"shares: {text} is no whole number of shares")
        if value > held:
            raise ActError(f"shares: {count(int(value))} are more than the {count(held)} held")
        return int(value)


class StopForm(ActForm):
    """Put stop and target elsewhere."""

    act = "Stop and target of"
    labels = ("stop", "target")
    hint = "price · 1% from the last · b break-even"
    prices = (0, 1)
    whole = False

    @property
    def title(self) -> str:
        """Return what is moved."""
        return f"{self.act} {self.symbol}"

    def first_texts(self) -> list[str]:
        """Return where they stand."""
        row = self.row(self.scope)
        places = (row.stop, row.target) if row is not None else (0.0, 0.0)
        return [f"{at:.2f}" if at > 0.0 else "" for at in places]

    def lines(self, texts: Sequence[str], scope: str) -> list[str]:
        """Return how far away the new stop is, and what is made or lost there."""
        found = super().lines(texts, scope)
        rows = self.rows(scope)
        if not rows:
            return found
        even = rows[-1].break_even if len(rows) == 1 else 0.0
        if even:
            found.append(f"break-even {price(even)}, charges paid")
        try:
            places = [self._stop_of(row, texts[0]) for row in rows]
        except ActError:
            return found
        if all(places):
            # P&L at the stop: what it is now, and the way there, and the charges of leaving.
            there = sum(
                row.pnl - row.leaving + round((at - row.ltp) * row.quantity * 100.0)
                for row, at in zip(rows, places, strict=True)
            )
            away = min(
                abs(row.ltp - at) / row.ltp * 100.0 if row.ltp else 0.0
                for row, at in zip(rows, places, strict=True)
            )
            trails = "trails on from there" if rows[-1].trails else "stays there"
            found.append(f"{away:.2f} % away, P&L there {gain(there).strip()}; it {trails}")
        return found

    def verb(self, texts: Sequence[str], scope: str) -> str:
        """Return where the stop goes."""
        del scope
        if texts[0] == self.at_first[0]:
            return "Move the target" if texts[1] != self.at_first[1] else "Move it"
        return f"Stop to {texts[0]}" if texts[0] else "Move it"

    def request(self, texts: Sequence[str], scope: str) -> EngineRequest:
        """Return the move of whatever was changed."""
        rows = self.rows(scope)
        if not rows:
            raise ActError(f"{self.symbol} is flat already")
        stop, target = texts
        # Only what was typed over is asked for: a stop that has trailed meanwhile stays.
        moved: dict[str, float | bool] = {}
        if stop and stop != self.at_first[0]:
            if BREAK_EVEN.startswith(stop.lower()):
                moved["break_even"] = True
            elif stop.endswith("%"):
                moved["percent"] = _typed_figure("stop", stop.removesuffix("%"))
            else:
                moved["price"] = _typed_figure("stop", stop)
            if not all(moved.values()):
                raise ActError("stop: 0 is no price")
        elif not stop and self.at_first[0]:
            raise ActError("stop: a stop is moved, not taken away")
        if target != self.at_first[1]:
            moved["target"] = self._target_of(rows[-1], target)
        if not moved:
            raise ActError("nothing is changed: type a price, a percentage, or b")
        return StopRequest(
            symbol=self.symbol,
            rung=self.rung_key(scope),
            price=float(moved.get("price", 0.0)),
            percent=float(moved.get("percent", 0.0)),
            break_even=bool(moved.get("break_even", False)),
            target=float(moved.get("target", -1.0)),
        )

    def shortcut(self, field: int, letter: str) -> str:
        """Return the break-even for `b` in the stop."""
        return BREAK_EVEN if field == 0 and letter == "b" else ""

    def _stop_of(self, row: PositionRow, text: str) -> float:
        """Return the stop that a text means for a rung, 0.0 for none; raise `ActError`."""
        if text and BREAK_EVEN.startswith(text.lower()):
            return row.break_even
        if text.endswith("%"):
            away = _typed_figure("stop", text.removesuffix("%")) / 100.0
            return row.ltp * (1.0 - (away if row.quantity > 0 else -away))
        return _typed_figure("stop", text)

    def _target_of(self, row: PositionRow, text: str) -> float:
        if not text.endswith("%"):
            return _typed_figure("target", text)
        away = _typed_figure("target", text.removesuffix("%")) / 100.0
        at = row.ltp * (1.0 + (away if row.quantity > 0 else -away))
        return round(round(at / self.tick) * self.tick, 4) if self.tick else at


class AddForm(ActForm):
    """Add a rung to the ladder."""

    act = "Add a rung to"
    labels = ("shares", "stop %")
    hint = "empty: as the ladder's plan"
    scoped = False

    def lines(self, texts: Sequence[str], scope: str) -> list[str]:
        """Return what is held, and how it enters."""
        return [
            *super().lines(texts, scope),
            "It enters at the market, under every limit; the plan's own rungs go on waiting.",
        ]

    def verb(self, texts: Sequence[str], scope: str) -> str:
        """Return how many are added."""
        del scope
        return f"Add {texts[0]} at the market" if texts[0] else "Add a rung"

    def request(self, texts: Sequence[str], scope: str) -> EngineRequest:
        """Return the addition to the ladder under the cursor."""
        del scope
        row = self.row("")
        if row is None:
            raise ActError(f"{self.symbol} is flat: open a position with B or S")
        return AddRungRequest(
            symbol=self.symbol,
            rung=row.key,
            quantity=_typed_shares(texts[0]),
            stop=_typed_stop(texts[1]),
        )


class ReverseForm(ActForm):
    """Leave, and enter the other side."""

    act = "Reverse"
    labels = ("shares", "stop %")
    hint = "empty: as many, and as far"
    scoped = False

    def lines(self, texts: Sequence[str], scope: str) -> list[str]:
        """Return what leaves, and what follows."""
        rows = self.rows(scope)
        cost = sum(row.leaving for row in rows)
        side = "sold short" if sum(row.quantity for row in rows) > 0 else "bought"
        return [
            *super().lines(texts, scope),
            f"All of it leaves first, charges about {rupees(cost)}.",
            f"Once it is flat the other side is {side}: of MIS and NRML only.",
        ]

    def verb(self, texts: Sequence[str], scope: str) -> str:
        """Return what becomes of it."""
        held = sum(row.quantity for row in self.rows(scope))
        shares = texts[0] or count(abs(held))
        return f"Exit, then {'SELL' if held > 0 else 'BUY'} {shares}"

    def request(self, texts: Sequence[str], scope: str) -> EngineRequest:
        """Return the reversal of the whole symbol."""
        rows = self.rows(scope)
        if not rows:
            raise ActError(f"{self.symbol} is flat already")
        # The desk would refuse it, too: here it costs no request.
        for row in rows:
            if row.product in {"CNC", "MTF"}:
                raise ActError(
                    f"held for delivery ({row.product}), which cannot be sold short: only MIS and "
                    "NRML are reversed"
                )
        return ReverseRequest(
            symbol=self.symbol, quantity=_typed_shares(texts[0]), stop=_typed_stop(texts[1])
        )


FORMS: Final[dict[str, type[ActForm]]] = {
    "exit": ExitForm,
    "stop": StopForm,
    "add": AddForm,
    "reverse": ReverseForm,
}


def _shares_of(rows: Sequence[PositionRow]) -> int:
    """Return the shares of rungs, long and short together: they leave one by one."""
    return sum(abs(row.quantity) for row in rows)


def _typed_figure(name: str, text: str) -> float:
    """Return the number in a text, 0.0 where it is empty; raise `ActError`."""
    bare = text.replace(",", "").removeprefix("₹").strip()
    try:
        value = float(bare or 0.0)
    except ValueError:
        raise ActError(f"{name}: {text} is no number") from None
    # not written `value < 0`: nan would pass
    if not 0.0 <= value < _MOST:
        raise ActError(f"{name}: {text} is no amount")
    return value


def _typed_shares(text: str) -> int:
    value = _typed_figure("shares", text)
    # Only an empty field means as many as usual: a 0 must not become a whole rung.
    if text and (value != int(value) or value < 1):
        raise ActError(f"shares: {text} is no whole number of shares")
    return int(value)


def _typed_stop(text: str) -> float:
    """Return a stop in percent, -1.0 where nothing was typed."""
    value = _typed_figure("stop", text.removesuffix("%"))
    if value > 50.0:
        raise ActError(f"stop: {value:g} is above 50 percent of the price")
    return value if text else -1.0
