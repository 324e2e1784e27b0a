"""Rows of the journal, written from the kernel's changes; columns are those of `docs/store.md`."""

import json

from compiled.model.values import SECOND, Gtt, GttLeg, Instrument, Order, Side
from compiled.trading.decision_log import CAUSES, DecisionRecord
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Ladder, LadderPlan, Rung, RungState
from compiled.trading.order_store import BookedFill
from engine.market.asset_classes import AssetClass, asset_of
from engine.orders.order_texts import ORDER_TYPES
from engine.ports import Journal

PEAKS = "peaks"


class JournalRecorder:
    """Writes every change of the kernel to the journal, facts before the requests they cause."""

    def __init__(self, kernel: Kernel, journal: Journal) -> None:
        self.kernel = kernel
        self.journal = journal
        self._last: dict[int, tuple[object, ...]] = {}
        self._counted = 0
        self._peaked = 0
        self._peaks = ""

    def flush(self) -> list[BookedFill]:
        """Append rows for all that changed since the last call; return the fills among it."""
        kernel, out = self.kernel, self.kernel.order_store
        fills, out.fills = out.fills, []
        for fill in fills:
            kernel.state.changed_rungs.setdefault(
                fill.order.rung, self.kernel.state.rungs[fill.order.rung]
            )
        self._write_decisions()
        self._note_peaks()
        for ladder in kernel.state.changed_ladders.values():
            self.journal.append("ladders", self._ladder_row(ladder))
        for rung in list(kernel.state.changed_rungs.values()):
            self._write_rung(rung)
        for order in out.changed_orders.values():
            self._write_order(order)
        for fill in fills:
            self.journal.append("fills", self._fill_row(fill))
        for gtt in out.changed_gtts.values():
            self._write_gtt(gtt)
        kernel.state.changed_ladders.clear()
        kernel.state.changed_rungs.clear()
        out.changed_orders.clear()
        out.changed_gtts.clear()
        return fills

    def _note_peaks(self) -> None:
        """Note the highest P&L of the day, the desk's and each strategy's.

        It is written once a second while it rises.
        """
        kernel = self.kernel
        if kernel.order_store.now < self._peaked + SECOND:
            return
        self._peaked = kernel.order_store.now
        strategies = {slot.name: int(slot.peak) for slot in kernel.state.slots if slot.peak}
        if kernel.state.peak or strategies:
            peaks = json.dumps(
                {
                    "day": int(kernel.state.open),
                    "desk": int(kernel.state.peak),
                    "strategies": strategies,
                }
            )
            if peaks != self._peaks:
                self._peaks = peaks
                self.journal.append("meta", {"key": PEAKS, "value": peaks})

    def _write_decisions(self) -> None:
        """Write new decisions at once, and how often they were repeated once a second."""
        decisions = self.kernel.decisions
        if decisions.fresh:
            fresh, decisions.fresh = decisions.fresh, []
            for decision in fresh:
                self.journal.append("decisions", self._decision_row(decision))
        if decisions.repeated and self.kernel.order_store.now >= self._counted + SECOND:
            self._write_counts()

    def _write_counts(self) -> None:
        self._counted = self.kernel.order_store.now
        repeated, self.kernel.decisions.repeated = self.kernel.decisions.repeated, {}
        for decision in repeated.values():
            self.journal.append(
                "decisions",
                {
                    "decision": decision.number,
                    "times": decision.times,
                    "last": decision.last,
                },
            )

    def write_marks(self) -> None:
        """Write every open rung at the last price, and the last counts of refusals."""
        self._write_counts()
        for ladder in self.kernel.state.ladders.values():
            for rung in ladder.rungs:
                if rung.live:
                    self._write_rung(rung)

    def _instrument_of(self, token: int) -> Instrument:
        return self.kernel.state.markets[token].instrument

    def _fill_row(self, fill: BookedFill) -> dict[str, object]:
        order, instrument = fill.order, self._instrument_of(fill.order.token)
        return {
            "trade_id": fill.trade_id,
            "order_id": order.order_id,
            "intent": order.intent,
            "rung": order.rung,
            "strategy": order.strategy,
            "token": order.token,
            "symbol": instrument.symbol,
            "exchange": instrument.exchange,
            "side": order.side.name,
            "quantity": fill.quantity,
            "price": fill.price,
            "ts": fill.ts,
            "charges": fill.charges,
            "realised": fill.realised,
        }

    def _decision_row(self, decision: DecisionRecord) -> dict[str, object]:
        cause = decision.cause
        heard = self.kernel.state.markets.get(cause.token or decision.token)
        price = cause.price or (heard.ltp if heard is not None else 0.0)
        return {
            "decision": decision.number,
            "ts": decision.ts,
            "strategy": decision.strategy,
            "token": decision.token,
            "symbol": self._instrument_of(decision.token).symbol,
            "side": decision.side.name,
            "kind": decision.kind,
            "cause": CAUSES[cause.what],
            "cause_symbol": heard.instrument.symbol if heard is not None else "",
            "cause_ts": cause.ts,
            "cause_price": price,
            "reason": decision.reason,
            "capital": decision.capital,
            "quantity": decision.quantity,
            "price": decision.price,
            "verdict": decision.verdict.name,
            "detail": decision.detail,
            "ladder": decision.ladder,
            "rung": decision.rung,
            "intent": decision.intent,
            "times": decision.times,
            "last": decision.last,
        }

    def _ladder_row(self, ladder: Ladder) -> dict[str, object]:
        return {
            "ladder": ladder.ladder_id,
            "strategy": ladder.strategy,
            "token": ladder.instrument.token,
            "symbol": ladder.instrument.symbol,
            "side": ladder.side.name,
            "state": "leaving" if ladder.leaving else "closed" if ladder.closed else "open",
            "created": ladder.created,
            "closed": ladder.closed,
            "plan": json.dumps(plan_fields(ladder.plan)),
            "reason": ladder.reason,
        }

    def _write_rung(self, rung: Rung) -> None:
        """Write a rung's row; its open P&L is at the last price."""
        ladder = self.kernel.state.owners[rung.ladder_id]
        unfilled = rung.state is RungState.CLOSED and not rung.bought
        status = "not filled" if unfilled else rung.state.name.lower()
        last = self.kernel.state.markets[ladder.instrument.token].ltp
        pnl = rung.pnl(ladder.sign, last)
        gtt = rung.gtt
        self.journal.append(
            "trades",
            {
                "trade_id": rung.rung_id,
                "ladder": ladder.ladder_id,
                "strategy": ladder.strategy,
                "token": ladder.instrument.token,
                "symbol": ladder.instrument.symbol,
                "exchange": ladder.instrument.exchange,
                "product": ladder.plan.product.name,
                "side": ladder.side.name,
                "position_number": rung.number,
                "qty": rung.bought,
                "entry_price": rung.average,
                "entry_time": rung.opened or None,
                "exit_price": rung.exit_average if rung.sold else None,
                "exit_time": rung.closed or None,
                "stop_loss": rung.stop,
                "target": rung.target,
                "high_water": rung.high,
                "gtt_id": gtt.gtt_id if gtt else None,
                "pnl": pnl,
                "pnl_pct": round(int(pnl) / int(rung.bought_value) * 100.0, 4)
                if rung.bought_value
                else 0.0,
                "charges": rung.charges,
                "status": status,
                "exit_reason": rung.exit_reason,
            },
        )

    def _write_order(self, order: Order) -> None:
        """Write an order's intent, its row of the book, and a line of its life if that went on."""
        instrument, now = self._instrument_of(order.token), self.kernel.order_store.now
        common: dict[str, object] = {
            "intent": order.intent,
            "tag": order.tag or None,
            "strategy": order.strategy,
            "token": order.token,
            "symbol": instrument.symbol,
            "exchange": instrument.exchange,
            "side": order.side.name,
            "quantity": order.quantity,
            "filled": order.filled,
            "price": order.price,
            "trigger_price": order.trigger,
            "order_type": ORDER_TYPES[order.order_type],
            "product": order.product.name,
            "status": order.status.name,
            "reason": order.reason,
            "updated": now,
        }
        self.journal.append(
            "intents",
            common
            | {
                "kind": "order",
                "created": order.created,
                "purpose": order.purpose.name,
                "validity": order.validity.name,
                "protection": order.protection,
                "rung": order.rung,
                "broker_id": order.order_id,
                "value": order.value,
                "charged": order.charged,
                "request": json.dumps(order_fields(order) | _asset_field(instrument)),
            },
        )
        if order.order_id:
            self.journal.append(
                "orders",
                common
                | {
                    "order_id": order.order_id,
                    "pending": max(order.quantity - order.filled, 0) if order.live else 0,
                    "average_price": order.average,
                    "placed": order.created,
                },
            )
        state = (order.status, order.filled, order.order_id)
        if self._last.get(order.intent) != state:
            self._last[order.intent] = state
            self.journal.append(
                "order_events",
                {
                    "ts": now,
                    "intent": order.intent,
                    "order_id": order.order_id,
                    "status": order.status.name,
                    "filled": order.filled,
                    "average_price": order.average,
                    "reason": order.reason,
                },
            )
        if not order.live and order.traded >= order.filled:
            self._last.pop(order.intent, None)

    def _write_gtt(self, gtt: Gtt) -> None:
        """Write a GTT's intent and its own row."""
        instrument, now = self._instrument_of(gtt.token), self.kernel.order_store.now
        stop, target = split_legs(self.kernel, gtt, gtt.legs)
        self._write_gtt_event(gtt, stop, target)
        past = {"fired": gtt.fired, "at": gtt.updated} if gtt.past else {}
        self.journal.append(
            "intents",
            {
                "intent": gtt.intent,
                "tag": None,
                "kind": "gtt",
                "created": gtt.created,
                "updated": now,
                "strategy": gtt.strategy,
                "token": gtt.token,
                "symbol": instrument.symbol,
                "exchange": instrument.exchange,
                "side": stop.side.name,
                "quantity": stop.quantity,
                "order_type": "GTT",
                "product": gtt.product.name,
                "purpose": "PROTECT",
                "rung": gtt.rung,
                "status": gtt.status.name,
                "broker_id": str(gtt.gtt_id or ""),
                "reason": gtt.reason,
                "request": json.dumps(
                    {
                        "last_price": gtt.last_price,
                        "legs": leg_fields(gtt.legs),
                        "pending": leg_fields(gtt.pending),
                        "order_id": gtt.order_id,
                        "made": leg_fields(gtt.made),
                        "proven": gtt.proven,
                    }
                    | past
                ),
            },
        )
        self.journal.append(
            "gtts",
            {
                "intent": gtt.intent,
                "gtt_id": gtt.gtt_id or None,
                "strategy": gtt.strategy,
                "token": gtt.token,
                "symbol": instrument.symbol,
                "rung": gtt.rung,
                "product": gtt.product.name,
                "kind": "two-leg" if target else "single",
                "quantity": stop.quantity,
                "stop_trigger": stop.trigger,
                "stop_price": stop.price,
                "target_trigger": target.trigger if target else None,
                "target_price": target.price if target else None,
                "status": gtt.status.name,
                "order_id": gtt.order_id,
                "modifies": gtt.modifies,
                "created": gtt.created,
                "updated": now,
                "reason": gtt.reason,
            },
        )

    def _write_gtt_event(self, gtt: Gtt, stop: GttLeg, target: GttLeg | None) -> None:
        """Write one line of a GTT's life, if that went on."""
        state = (
            gtt.status,
            gtt.gtt_id,
            stop.trigger,
            stop.quantity,
            gtt.order_id,
            bool(gtt.pending),
        )
        if self._last.get(gtt.intent) == state:
            return
        self._last[gtt.intent] = state
        aim = f", target {target.trigger:.2f}" if target is not None else ""
        legs = f"stop {stop.trigger:.2f}{aim} x {stop.quantity}"
        if gtt.pending:
            wanted = split_legs(self.kernel, gtt, gtt.pending)[0]
            legs = f"stop {stop.trigger:.2f} to {wanted.trigger:.2f} x {wanted.quantity}"
        self.journal.append(
            "order_events",
            {
                "ts": self.kernel.order_store.now,
                "intent": gtt.intent,
                "order_id": str(gtt.gtt_id or ""),
                "status": "MODIFYING" if gtt.pending and gtt.live else gtt.status.name,
                "filled": 0,
                "average_price": 0.0,
                "reason": gtt.reason or legs,
            },
        )
        if not gtt.live:
            self._last.pop(gtt.intent, None)


def split_legs(kernel: Kernel, gtt: Gtt, legs: list[GttLeg]) -> tuple[GttLeg, GttLeg | None]:
    """Return the stop and the target (None without one) among the legs of a GTT."""
    if len(legs) == 1:
        return legs[0], None
    rung = kernel.state.rungs.get(gtt.rung)
    long = rung is None or kernel.state.owners[rung.ladder_id].side is Side.BUY
    return (legs[0], legs[1]) if long else (legs[1], legs[0])


def leg_fields(legs: list[GttLeg]) -> list[list[float]]:
    """Return legs as plain values."""
    return [[leg.trigger, leg.price, int(leg.side), int(leg.quantity)] for leg in legs]


def order_fields(order: Order) -> dict[str, object]:
    """Return an order's fields beside its columns as plain values, without the usual ones."""
    terms = order.terms
    fields: dict[str, object] = {
        "variety": terms.variety.name,
        "minutes": int(terms.minutes),
        "legs": int(terms.legs),
        "disclosed": int(terms.disclosed),
        "autoslice": terms.autoslice,
        "auction": terms.auction,
        "parent": int(order.parent),
        "parts": int(order.parts),
        "whole": int(order.whole),
        "modifies": int(order.modifies),
        "reduces": order.reduces,
        "unproven": bool(order.order_id and order.tag) and not order.proven,
    }
    usual = {"variety": "REGULAR", "parts": 1, "whole": int(order.quantity)}
    return {
        name: value for name, value in fields.items() if value != usual.get(name, type(value)())
    }


def plan_fields(plan: LadderPlan) -> dict[str, object]:
    """Return a ladder's plan as plain values."""
    return {
        "rungs": [
            [
                r.trigger_percent,
                r.stop_percent,
                r.target_percent,
                *([int(r.quantity)] * (r.quantity > 0)),
            ]
            for r in plan.rungs
        ],
        "capital": plan.capital,
        "product": plan.product.name,
        "stop_gap_percent": plan.stop_gap_percent,
        "trail": plan.trail,
        "trail_step_percent": plan.trail_step_percent,
        "trail_seconds": plan.trail_seconds,
        "entry_seconds": plan.entry_seconds,
        "quantity": int(plan.quantity),
        "risk": int(plan.risk),
        "swing": plan.swing,
        "variety": plan.entry.terms.variety.name,
    }


def _asset_field(instrument: Instrument) -> dict[str, str]:
    """Return a security's kind by its name, which is lost by the time of the tax statement."""
    asset = (
        asset_of(instrument.symbol, instrument.name)
        if instrument.kind == "EQ"
        else AssetClass.SHARE
    )
    return {} if asset is AssetClass.SHARE else {"asset": asset.value}
