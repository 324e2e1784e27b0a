"""The strategies on the board: state, P&L, decisions, parameters, and the trades of the day."""

from collections.abc import Mapping, Sequence
from typing import Final, final

from compiled.model.values import MINUTE, SECOND
from compiled.trading.decision_log import DecisionRecord
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Ladder, Rung
from compiled.trading.risk import RefusalReason
from engine.board_rows import (
    OTHERS,
    DayTrades,
    DecisionRow,
    ParameterRow,
    StrategyRow,
    TradeRow,
    TripRow,
)
from engine.board_writer import BoardWriter
from engine.manual.reasons import reason_meaning
from engine.manual.strategy_acts import FIXED, StrategyActs
from engine.market.calendar import ist_day, midnight

KEPT: Final = 1_000
"""Decisions on the board; the journal has all of them."""


@final
class StrategyView:
    """Writes its sections of the board; `acts` know the parameters."""

    def __init__(self, writer: BoardWriter, kernel: Kernel, acts: StrategyActs) -> None:
        self._writer = writer
        self._board = writer.board
        self._kernel = kernel
        self._acts = acts
        self._trips = -1
        self._version = -1
        self._looked = 0
        self._waiting: dict[str, str] = {}
        """What each strategy waits for, as of the last look."""
        self._counted: dict[int, DecisionRecord] = {}
        """Refusals of the last minute: each may still be repeated."""
        self._signals: dict[str, DecisionRow] = {}
        self._refusals: dict[str, DecisionRow] = {}

    def restore(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Show the decisions of the day that an earlier run has written down, oldest first."""
        for row in rows[-KEPT:]:
            code, detail = str(row["verdict"]), str(row["detail"] or "")
            self._put_decision(
                DecisionRow(
                    int(str(row["decision"])),
                    int(str(row["ts"])),
                    strategy=str(row["strategy"]),
                    symbol=str(row["symbol"]),
                    side=str(row["side"]),
                    kind=str(row["kind"]),
                    reason=str(row["reason"]),
                    quantity=int(str(row["quantity"] or 0)),
                    price=float(str(row["price"] or 0.0)),
                    verdict=code,
                    words=_refusal_words(code, detail),
                    times=int(str(row["times"] or 1)),
                    last=int(str(row["last"] or 0)),
                    intent=str(row["intent"] or 0),
                )
            )

    def note_decisions(self) -> list[str]:
        """Show the kernel's new decisions; return the refusals among them as sentences."""
        sentences = []
        # The recorder takes them away with the same turn.
        for record in self._kernel.decisions.fresh:
            row = self._decision_row(record)
            self._put_decision(row)
            if row.refused:
                self._counted[row.number] = record
                sentences.append(refusal_sentence(row))
        return sentences

    def _decision_row(self, record: DecisionRecord) -> DecisionRow:
        return DecisionRow(
            int(record.number),
            int(record.ts),
            strategy=record.strategy,
            symbol=self._kernel.view.instrument(record.token).symbol,
            side=record.side.name,
            kind=record.kind,
            reason=record.reason,
            quantity=int(record.quantity),
            price=record.price,
            verdict=record.verdict.name,
            words=_refusal_words(record.verdict.name, record.detail),
            times=int(record.times),
            last=int(record.last),
            intent=str(record.intent),
        )

    def _put_decision(self, row: DecisionRow) -> None:
        section = self._board.decisions
        self._writer.put(section, row.number, row)
        # Half more than are kept, so that dropping them is rare: it walks over all of them.
        if len(section.rows) > KEPT + KEPT // 2:
            self._writer.keep(section, {each.number for each in section.rows[-KEPT:]})
        self._signals[row.strategy] = row
        if row.refused:
            self._refusals[row.strategy] = row

    def _count_repeats(self, now: int) -> None:
        for number, record in list(self._counted.items()):
            # After a minute the same refusal is a decision of its own.
            if now > record.ts + MINUTE + SECOND:
                del self._counted[number]
            row = self._decision_row(record)
            for newest in (self._signals, self._refusals):
                known = newest.get(row.strategy)
                if known is not None and known.last < row.last:
                    newest[row.strategy] = row
            self._writer.put(self._board.decisions, number, row)

    def publish(self, now: int, blocked: str) -> None:
        """Bring everything up to date; `blocked` is why the desk enters nothing now."""
        self._count_repeats(now)
        self._publish_trips()
        if self._acts.version != self._version:
            self._version = self._acts.version
            self._looked = 0
            self._publish_parameters()
        # Each look goes over all instruments and their indicators.
        if now >= self._looked + SECOND:
            self._looked = now
            self._waiting = {
                slot.name: self._waiting_text(slot) for slot in self._kernel.state.slots
            }
        self._publish_strategies(blocked)

    def _waiting_text(self, slot: StrategyState) -> str:
        markets = self._kernel.state.markets
        cold = sum(markets[token].is_cold for token in slot.tokens)
        if cold:
            return f"{cold} of {len(slot.tokens)} instruments wait for their history"
        unready = int(slot.count_unready())
        if unready == len(slot.tokens) and unready:
            return "its indicators wait for more bars on every instrument"
        return ""

    def _publish_strategies(self, blocked: str) -> None:
        """Show each strategy, and the P&L that is of none of the day."""
        kernel, section = self._kernel, self._board.strategies
        held: dict[str, list[int]] = {}
        for position in self._board.positions.rows:
            held.setdefault(position.strategy, []).append(position.pnl)
        over: dict[str, list[int]] = {}
        for trip in self._board.trips.rows:
            over.setdefault(trip.strategy, []).append(trip.pnl)
        # What remains of the day after all strategies of the day: by hand, adopted, or left from
        # before.
        left = int(kernel.state.day_pnl)
        for slot in kernel.state.slots:
            net = int(kernel.ledger.strategy_net(slot.name) - slot.net_at_open)
            left -= net
            state, why = self._state_of(slot, blocked)
            # By its name: positions of before a restart are its own, too.
            trades = over.get(slot.name, [])
            row = StrategyRow(
                slot.name,
                slot.stopped,
                net,
                state=state,
                why=why,
                symbols=len(slot.tokens),
                rungs=len(held.get(slot.name, ())),
                open_pnl=sum(held.get(slot.name, ())),
                trades=len(trades),
                wins=sum(pnl > 0 for pnl in trades),
                signals=int(slot.signals),
                signal=self._signals.get(slot.name),
                refusal=self._refusals.get(slot.name),
            )
            self._writer.put(section, slot.name, row)
        if left:
            self._writer.put(section, OTHERS, StrategyRow(OTHERS, "", left, state=""))

    def _state_of(self, slot: StrategyState, blocked: str) -> tuple[str, str]:
        """Return the state of a strategy in a word, and why it is in it."""
        # A fault before a stop by hand: that somebody stopped it as well mends nothing.
        if slot.error is not None:
            return "failed", slot.stopped
        if slot.limit_stopped:
            return "limit", slot.stopped
        if slot.stopped:
            return "stopped", slot.stopped
        if blocked:
            return "no entries", blocked
        waiting = self._waiting.get(slot.name, "")
        return ("warming", waiting) if waiting else ("runs", "")

    def _publish_parameters(self) -> None:
        for slot in self._kernel.state.slots:
            for each, configured, change in self._acts.parameters(slot.name):
                key = f"{slot.name}.{each.name}"
                note = f"{change.who}: {change.reason}" if change is not None else ""
                row = ParameterRow(
                    key,
                    slot.name,
                    name=each.name,
                    value=each.text,
                    configured=configured,
                    bounds=each.bounds,
                    meaning=each.meaning,
                    note=note,
                    is_fixed=each.name in FIXED,
                )
                self._writer.put(self._board.parameters, key, row)

    def _publish_trips(self) -> None:
        """Show the trades of the day anew when another one is over."""
        kernel = self._kernel
        # It needs a look at every rung of the day, which only another closed trade can change.
        if kernel.state.round_trips == self._trips:
            return
        self._trips = int(kernel.state.round_trips)
        began = midnight(ist_day(int(kernel.state.open)))
        found = [
            _trip_row(ladder, rung)
            for ladder in kernel.state.owners.values()
            for rung in ladder.rungs
            if rung.bought and rung.closed >= began and not rung.quantity
        ]
        found.sort(key=lambda trip: trip.closed)
        for trip in found:
            self._writer.put(self._board.trips, trip.key, trip)
        if found:
            best, worst = (pick(found, key=lambda trip: trip.pnl) for pick in (max, min))
            self._writer.set_trades(DayTrades(len(found), _trade_row(best), _trade_row(worst)))


def _trip_row(ladder: Ladder, rung: Rung) -> TripRow:
    return TripRow(
        str(rung.rung_id),
        ladder.strategy,
        symbol=ladder.instrument.symbol,
        rung=f"P{rung.number}" if len(ladder.rungs) > 1 else "",
        side=ladder.side.name,
        quantity=int(rung.bought),
        entry=rung.average,
        exit=rung.exit_average,
        pnl=int(rung.pnl(ladder.sign, 0.0)),
        opened=int(rung.opened),
        closed=int(rung.closed),
        reason=rung.exit_reason,
    )


def _trade_row(trip: TripRow) -> TradeRow:
    return TradeRow(trip.symbol, trip.strategy, trip.rung, trip.pnl)


def _refusal_words(code: str, detail: str) -> str:
    """Return why a request was refused, with its figures; empty where it was not."""
    if code == RefusalReason.OK.name:
        return ""
    meaning = reason_meaning(code) or code
    return f"{meaning}: {detail}" if detail else meaning


def refusal_sentence(row: DecisionRow) -> str:
    """Return a refusal as a line of the event log."""
    what = "change of" if row.kind == "change" else row.side
    return f"{row.strategy}: no {what} {row.symbol}: {row.words}"


def strategy_fields(row: StrategyRow, parameters: Sequence[ParameterRow]) -> dict[str, object]:
    """Return a strategy for `patang strategies`; money in paise, times in ns UTC."""
    signal, refusal = row.signal, row.refusal
    return {
        "name": row.name,
        "state": row.state,
        "why": row.why,
        "symbols": row.symbols,
        "open": row.rungs,
        "open_pnl": row.open_pnl,
        "trades": row.trades,
        "wins": row.wins,
        "net": row.net,
        "signals": row.signals,
        "last_signal": signal_text(signal) if signal is not None else "",
        "last_signal_at": signal.last if signal is not None else 0,
        "last_refusal": refusal_sentence(refusal) if refusal is not None else "",
        "last_refusal_at": refusal.last if refusal is not None else 0,
        "parameters": [
            {
                "name": each.name,
                "value": each.value,
                "configured": each.configured,
                "bounds": each.bounds,
                "meaning": each.meaning,
                "note": each.note,
            }
            for each in parameters
        ],
    }


def signal_text(row: DecisionRow) -> str:
    """Return what a strategy asked for, and why."""
    verb = {"exit": "EXIT", "change": "CHANGE"}.get(row.kind, row.side)
    return f"{verb} {row.symbol}: {row.reason}" if row.reason else f"{verb} {row.symbol}"
