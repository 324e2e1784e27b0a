"""The order ticket without its widgets: what was typed, what it means, and its faults."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.board_rows import OrderRow, WatchRow
from engine.numbers import count, price, rupees
from engine.operator_requests import ModifyRequest, OperatorOutcome, PlaceRequest, PreviewRequest

SIDES: Final = ("BUY", "SELL")
SIZES: Final = ("shares", "rupees", "risk")
"""What the amount counts: shares, what they are worth, or what is lost at the stop (both ₹)."""
KINDS: Final = ("LIMIT", "MARKET", "SL", "SL-M")
PRODUCTS: Final = ("CNC", "MIS", "MTF", "NRML")
VALIDITIES: Final = ("DAY", "IOC", "TTL")
_FIGURES: Final = ("amount", "price", "trigger", "stop", "target", "minutes")
_MOST: Final = 1e12


class TicketError(ValueError):
    """A fault of a ticket, in one line for the operator."""


@dataclass
class TicketForm:
    """The texts of a ticket as they stand in its fields; `modifies` is the order it changes."""

    symbol: str = ""
    side: str = "BUY"
    amount: str = ""
    sized_by: str = "shares"
    kind: str = "LIMIT"
    price: str = ""
    trigger: str = ""
    stop: str = ""
    target: str = ""
    product: str = "CNC"
    validity: str = "DAY"
    minutes: str = ""
    modifies: str = ""

    def figure(self, name: str) -> float:
        """Return the number in a field, 0.0 where it is empty; raise `TicketError`."""
        text = str(getattr(self, name)).replace(",", "").removeprefix("₹").removesuffix("%").strip()
        try:
            value = float(text or 0.0)
        except ValueError:
            raise TicketError(f"{name}: {text} is no number") from None
        # not written `value < 0`: nan would pass
        if not 0.0 <= value < _MOST:
            raise TicketError(f"{name}: {text} is no amount")
        return value

    def reference(self, row: WatchRow | None) -> float:
        """Return the price it is reckoned at: its own, else what it would meet; 0.0 for none."""
        own = self.figure("trigger") if self.kind == "SL-M" else self.figure("price")
        if self.kind != "MARKET" and own > 0.0:
            return own
        if row is None:
            return 0.0
        # At the open one side of the book may be empty still.
        return (row.ask if self.side == "BUY" else row.bid) or row.ltp

    def shares(self, row: WatchRow | None) -> int:
        """Return the shares it means; raise `TicketError` where they cannot be told."""
        amount = self.figure("amount")
        if self.sized_by == "shares":
            if amount != int(amount):
                raise TicketError(f"quantity: {self.amount} is no whole number of shares")
            return int(amount)
        at = self.reference(row)
        if at <= 0.0:
            raise TicketError(f"{self.symbol} has no price yet: say how many shares")
        if self.sized_by == "rupees":
            return int(amount / at)
        stop = self.figure("stop")
        if stop <= 0.0:
            raise TicketError("by risk: a stop is needed, which is what the risk is reckoned from")
        return int(amount / (at * stop / 100.0))

    def place_request(self, row: WatchRow | None) -> PlaceRequest:
        """Return the order; raise `TicketError` for the first thing that is wrong."""
        if row is None:
            raise TicketError(
                f"{self.symbol} is not watched by this desk" if self.symbol else "symbol: which?"
            )
        quantity = self.shares(row)
        if quantity < 1:
            raise TicketError(
                "quantity: how many?" if not self.amount else "quantity: less than one share"
            )
        wanted = {
            "price": self.kind in {"LIMIT", "SL"},
            "trigger": self.kind in {"SL", "SL-M"},
            "minutes": self.validity == "TTL",
        }
        figures = {name: self.figure(name) if on else 0.0 for name, on in wanted.items()}
        for name, on in wanted.items():
            if on and figures[name] <= 0.0:
                needs = "TTL" if name == "minutes" else self.kind
                raise TicketError(f"{name}: {needs} needs one")
        # a position without a stop is never a slip: it has to be said
        if not self.stop:
            raise TicketError("stop: percent below the price, or 0 for none")
        # the names are those of the choices above, which are the request's own
        fixed: Any = {"side": self.side, "product": self.product, "validity": self.validity}
        return PlaceRequest(
            symbol=row.symbol,
            quantity=quantity,
            stop=self._bounded_percent("stop", 50.0),
            target=self._bounded_percent("target", 500.0),
            price=figures["price"],
            trigger=figures["trigger"],
            minutes=int(figures["minutes"]),
            **fixed,
        )

    def _bounded_percent(self, name: str, most: float) -> float:
        value = self.figure(name)
        if value > most:
            raise TicketError(f"{name}: {value:g} is above {most:g} percent of the price")
        return value

    def modify_request(self) -> ModifyRequest:
        """Return the change of the order; raise `TicketError`."""
        quantity = self.figure("amount")
        if quantity < 1 or quantity != int(quantity):
            raise TicketError("quantity: a whole number of shares")
        return ModifyRequest(
            order=self.modifies,
            quantity=int(quantity),
            price=self.figure("price") if self.kind in {"LIMIT", "SL"} else 0.0,
            trigger=self.figure("trigger") if self.kind in {"SL", "SL-M"} else 0.0,
        )

    def step_price(self, name: str, steps: int, row: WatchRow | None) -> None:
        """Move a price by so many ticks of its grid; an empty one begins at the market."""
        tick = row.tick if row is not None else 0.0
        if tick <= 0.0:
            return
        try:
            value = self.figure(name)
        except TicketError:
            return
        if value <= 0.0:
            value, steps = (row.ltp if row is not None else 0.0), 0
        # By whole ticks: sums of 0.05 would drift off the grid.
        grid = round(value / tick) + steps
        setattr(self, name, f"{max(grid, 1) * tick:.2f}")


def repeated_ticket(row: OrderRow) -> TicketForm:
    """Return the ticket of an order like another one."""
    return TicketForm(
        symbol=row.symbol,
        side=row.side,
        amount=str(row.quantity),
        kind=row.kind if row.kind in KINDS else "LIMIT",
        price=f"{row.price:.2f}" if row.price else "",
    )


def changed_ticket(row: OrderRow) -> TicketForm:
    """Return the ticket that changes a working order."""
    form = repeated_ticket(row)
    form.modifies = row.key
    return form


class TicketVerdict(NamedTuple):
    """The desk's word on a ticket: whether it would be taken, and lines on it."""

    ok: bool
    lines: tuple[str, ...]


def preview_of(request: PlaceRequest) -> PreviewRequest:
    """Return the request for a preview of an order."""
    from msgspec import structs  # noqa: PLC0415 - not before the first ticket

    return PreviewRequest(**structs.asdict(request))


def read_verdict(
    request: PlaceRequest, outcome: OperatorOutcome, row: WatchRow | None
) -> TicketVerdict:
    """Return the answer to a preview in lines: worth and charges, break-even, margin, risk."""
    if not outcome.ok:
        return TicketVerdict(False, (outcome.text,))
    data = outcome.data
    debit = float(data["depository"])
    both = float(data["charges_both_ways"]) + debit
    at = float(data["value"]) / request.quantity
    way = 1.0 if request.side == "BUY" else -1.0
    even = at + way * both / request.quantity
    ticks = f", {both / request.quantity / row.tick:,.0f} ticks" if row and row.tick > 0.0 else ""
    theirs = data["margin_broker"]
    blocks = (
        f"blocks ₹{_money_text(theirs)} by the broker"
        if theirs is not None
        else f"blocks about ₹{_money_text(data['margin_estimate'])}; {data['margin_missing']}"
    )
    doubt = f" ({data['charges_rest_on']})" if data["charges_rest_on"] else ""
    kept = f", ₹{_money_text(debit)} of it the depository's" if debit else ""
    worth = f"worth ₹{_money_text(data['value'])} · charges ₹{_money_text(data['charges'])}"
    away = both / request.quantity / at * 100.0
    lines = [
        f"{worth}, both ways ₹{_money_text(both)}{doubt}{kept}",
        f"break-even {price(round(even, 2))} ({away:.2f}%{ticks})",
        blocks,
    ]
    # The gap below a stop is not in it: nobody knows that one.
    if request.stop > 0.0:
        lost = float(data["value"]) * request.stop / 100.0 + both
        lines.append(f"at the stop about ₹{_money_text(lost)} are lost, charges included")
    else:
        lines.append("bare: no stop protects it")
    return TicketVerdict(True, tuple(lines))


def ticket_size(request: PlaceRequest) -> str:
    """Return side and size as the button says it."""
    return f"{request.side} {count(request.quantity)}"


def _money_text(amount: float) -> str:
    return rupees(round(amount * 100))
