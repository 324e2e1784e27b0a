"""The operator's acts on strategies while the desk runs: checked, kept, and carried out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, final

import msgspec
from msgspec.structs import FieldInfo, fields

from compiled.model.events import KernelCommand
from compiled.model.values import Bar
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel
from compiled.trading.risk import stop_reason
from compiled.trading.strategy import Strategy, StrategyAct, StrategyInstruction
from engine.config.strategy_parameters import StrategyParameters
from engine.config.toml_reader import (
    Key,
    bare_type,
    describe_type,
    dotted_key,
    field_meaning,
    is_table,
    nearest_hint,
    setting_text,
    typed_value,
)
from engine.errors import ConfigError
from engine.numbers import counted
from engine.operator_requests import (
    OperatorOutcome,
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
    StrategyRequests,
    done,
    refused,
)
from engine.orders.strategy_days import (
    CHANGE,
    START,
    STOP,
    ParameterChange,
    StrategyActRow,
    StrategyDay,
    take_act,
    write_act,
)
from engine.ports import Journal

FIXED: Final[Mapping[str, str]] = {
    "enabled": "stop or start the strategy instead",
    "symbols": "its instruments are those of the day's opening: change the configuration",
    "timeframe_s": "its bars are those of the day's opening: change the configuration",
    "source": "its code is that of the day's opening: change the configuration",
}
"""Parameters that hold for the day, and what to do instead."""


class StrategyWorkshop(Protocol):
    """Maker of the strategies of the day; tables are those of the configuration."""

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a strategy's table as configured; raise `ConfigError` for one that has none."""
        ...

    def read(self, name: str, table: Mapping[str, Any]) -> StrategyParameters:
        """Return a table as the strategy's struct; raise `ConfigError` that names key and mend."""
        ...

    def make(self, name: str, table: Mapping[str, Any]) -> Strategy:
        """Return the strategy with the parameters of a table; raise `ConfigError` if it fails."""
        ...


class StrategyParameter(NamedTuple):
    """One parameter of a strategy: its place in the table, declaration, and value."""

    key: Key
    field: FieldInfo
    value: Any

    @property
    def name(self) -> str:
        """Return it as an operator writes it: `rung[2].stop_percent`."""
        return dotted_key(self.key)

    @property
    def bounds(self) -> str:
        """Return its bounds in words."""
        return describe_type(self.field.type)

    @property
    def meaning(self) -> str:
        """Return what it is for."""
        return field_meaning(self.field)

    @property
    def text(self) -> str:
        """Return its value as the configuration has it."""
        return setting_text(msgspec.to_builtins(self.value))


def parameter_list(struct: msgspec.Struct, at: Key = ()) -> Iterator[StrategyParameter]:
    """Yield every parameter of a struct, those of its tables one by one."""
    for field in fields(struct):
        value, key = getattr(struct, field.name), (*at, field.name)
        if isinstance(value, msgspec.Struct):
            yield from parameter_list(value, key)
        elif isinstance(value, tuple) and value and is_table(bare_type(type(value[0]))):
            for place, entry in enumerate(value):
                yield from parameter_list(entry, (*key, place))
        else:
            yield StrategyParameter(key, field, value)


def changed_table(
    workshop: StrategyWorkshop, name: str, changes: Mapping[str, object]
) -> dict[str, Any]:
    """Return a strategy's table with changes by key; raise `ConfigError` for a key it has not."""
    table = dict(workshop.table(name))
    read = workshop.read(name, table)
    keys = {each.name: each.key for each in parameter_list(read)}
    # Whole, defaults among it: one rung cannot be changed of rungs that are not there.
    whole: dict[str, Any] = table | msgspec.to_builtins(read)
    for parameter, value in changes.items():
        if parameter not in keys:
            raise ConfigError(
                f"strategy.{name}.{parameter}: no such key{nearest_hint(parameter, keys)}"
            )
        *above, last = keys[parameter]
        spot: Any = whole
        for part in above:
            spot = spot[part]
        spot[last] = value
    return whole


@final
class StrategyActs:
    """The acts of one day, after those of earlier runs (`days`).

    `bars` returns the kept ones of a token and span. Every act is written down before anything
    follows from it, and the kernel carries it out at once.
    """

    def __init__(
        self,
        kernel: Kernel,
        workshop: StrategyWorkshop | None,
        journal: Journal,
        day: str,
        days: dict[str, StrategyDay],
        bars: Callable[[int, int], Sequence[Bar]],
    ) -> None:
        self._kernel = kernel
        self._workshop = workshop
        self._journal = journal
        self._day = day
        self.days = days
        self._bars = bars
        self.version = 0
        """Counts the acts."""

    def parameters(self, name: str) -> list[tuple[StrategyParameter, str, ParameterChange | None]]:
        """Return a strategy's parameters, each with its configured text and today's change.

        There are none where its table is not known.
        """
        if self._workshop is None:
            return []
        changes = self._day_changes(name)
        values = {parameter: change.value for parameter, change in changes.items()}
        try:
            table = self._workshop.table(name)
            configured = {
                each.name: each.text for each in parameter_list(self._workshop.read(name, table))
            }
            read = self._workshop.read(name, changed_table(self._workshop, name, values))
        except ConfigError:
            return []
        return [
            (each, configured[each.name], changes.get(each.name)) for each in parameter_list(read)
        ]

    def carry_out(
        self, request: StrategyRequests, now: int
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        """Carry an act out; return its outcome, and what the kernel wants done.

        A wrong one is refused in a line that names the mend, and changes nothing.
        """
        if not request.reason.strip():
            return refused("a reason is needed: --reason TEXT"), []
        try:
            slot = self._named_slot(request.strategy)
            match request:
                case StopStrategyRequest():
                    return self._stop_strategy(slot, request, now)
                case StartStrategyRequest():
                    return self._start_strategy(slot, request, now)
                case SetParametersRequest():
                    return self._change_parameters(slot, request, now)
        except ConfigError as error:
            return refused(str(error)), []

    def _named_slot(self, name: str) -> StrategyState:
        slots = {slot.name: slot for slot in self._kernel.state.slots}
        if name not in slots:
            raise ConfigError(f"no strategy {name} on this desk{nearest_hint(name, slots)}")
        return slots[name]

    def _day_changes(self, name: str) -> Mapping[str, ParameterChange]:
        day = self.days.get(name)
        return day.changes if day is not None else {}

    def _stop_strategy(
        self, slot: StrategyState, request: StopStrategyRequest, now: int
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        if slot.hand_stopped and not request.leave:
            raise ConfigError(f"{slot.name} is stopped already: {slot.stopped}")
        row = StrategyActRow(slot.name, STOP, request.who, request.reason, {})
        self._keep_act(row, now)
        # Counted before: those that are left may be gone when the kernel returns.
        open_rungs = self._open_rungs(slot.name)
        commands = self._kernel.handle(
            StrategyInstruction(
                now, StrategyAct.STOP, slot.name, row.stop_text, leave=request.leave
            )
        )
        held = counted(open_rungs, "position")
        what = "being left" if request.leave else "kept and protected"
        failed = f"; it failed in on_stop: {slot.stopped}" if slot.error is not None else ""
        return done(f"{slot.name} is stopped for the day; {held} {what}{failed}"), commands

    def _open_rungs(self, name: str) -> int:
        return sum(
            1
            for ladder in self._kernel.state.ladders.values()
            if ladder.strategy == name
            for rung in ladder.rungs
            if rung.quantity
        )

    def _start_strategy(
        self, slot: StrategyState, request: StartStrategyRequest, now: int
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        if not slot.stopped:
            raise ConfigError(f"{slot.name} runs")
        net = self._kernel.ledger.strategy_net(slot.name) - slot.net_at_open
        # The kernel would stop it again with the next second, as often as it is started.
        if reason := stop_reason(net, slot.peak, slot.losses, self._kernel.limits):
            raise ConfigError(f"{slot.name} has reached its limit ({reason}): change that first")
        values = {key: change.value for key, change in self._day_changes(slot.name).items()}
        made = self._make_anew(slot, values)
        self._keep_act(StrategyActRow(slot.name, START, request.who, request.reason, {}), now)
        commands = self._kernel.handle(
            StrategyInstruction(
                now,
                StrategyAct.START,
                slot.name,
                request.reason,
                made=made,
                bars=self._past_bars(slot),
            )
        )
        # Its own past, or on_start, may be what it fails of.
        if slot.stopped:
            return refused(f"{slot.name} failed again: {slot.stopped}"), commands
        return done(f"{slot.name} runs, made anew{self._unready_text(slot)}"), commands

    def _change_parameters(
        self, slot: StrategyState, request: SetParametersRequest, now: int
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        now_set = {each.name: each for each, _, _ in self.parameters(slot.name)}
        values: dict[str, object] = {}
        # Instruments and bars are subscribed once a day; a value for them would be taken and lost.
        for name, text in request.values.items():
            if name in FIXED:
                raise ConfigError(f"{name} holds for the day; {FIXED[name]}")
            values[name] = typed_value(text)
        if not values:
            raise ConfigError("nothing to change: KEY=VALUE is needed")
        before = {key: change.value for key, change in self._day_changes(slot.name).items()}
        # All of them at once: two may be right together, and neither of them alone.
        wanted = before | values
        made = self._make_anew(slot, wanted)
        # By their texts: 2 and 2.0 are one value, whatever was typed.
        parameters = self._workshop_read(slot.name, wanted)
        told = {each.name: each.text for each in parameter_list(parameters)}
        changed = [name for name in values if told[name] != now_set[name].text]
        if not changed:
            raise ConfigError(f"{slot.name} has {', '.join(f'{n} {told[n]}' for n in values)}")
        self._keep_act(
            StrategyActRow(
                slot.name, CHANGE, request.who, request.reason, {n: values[n] for n in changed}
            ),
            now,
        )
        event = StrategyInstruction(
            now,
            StrategyAct.CHANGE,
            slot.name,
            request.reason,
            made=made,
            parameters=parameters,
            bars=[] if slot.stopped else self._past_bars(slot),
        )
        stood = slot.stopped
        commands = self._kernel.handle(event)
        text = f"{slot.name}: " + ", ".join(
            f"{name} {now_set[name].text} to {told[name]}" for name in changed
        )
        if stood:
            return done(f"{text}; it stands, and begins with that"), commands
        if slot.stopped:
            return refused(f"{text}: it failed with that: {slot.stopped}"), commands
        how = "taken as it runs" if event.taken else "made anew"
        return done(f"{text}; {how}{self._unready_text(slot)}"), commands

    def _workshop_read(self, name: str, values: Mapping[str, object]) -> StrategyParameters:
        if self._workshop is None:
            raise ConfigError(f"how {name} is made is not known to this desk")
        return self._workshop.read(name, changed_table(self._workshop, name, values))

    def _make_anew(self, slot: StrategyState, values: Mapping[str, object]) -> Strategy:
        """Return a strategy made anew; raise `ConfigError` where it cannot be, or hears others."""
        if self._workshop is None:
            raise ConfigError(f"how {slot.name} is made is not known to this desk")
        made = self._workshop.make(slot.name, changed_table(self._workshop, slot.name, values))
        if int(made.span) != int(slot.span):
            raise ConfigError(f"{slot.name} would hear other bars: {FIXED['timeframe_s']}")
        return made

    def _past_bars(self, slot: StrategyState) -> list[Bar]:
        """Return what a strategy made anew is shown: the kept bars of its warm instruments."""
        markets = self._kernel.state.markets
        found = [
            bar
            for token in slot.tokens
            # A cold one shows its bars to every strategy when its history is there.
            if not markets[token].is_cold
            for bar in self._bars(int(token), int(slot.span))
        ]
        found.sort(key=lambda bar: (bar.end, bar.token))
        return found

    def _unready_text(self, slot: StrategyState) -> str:
        """Return on how many instruments a strategy waits for more bars, empty for none."""
        waiting = int(slot.count_unready())
        return (
            f"; on {waiting} of {len(slot.tokens)} instruments it waits for more bars"
            if waiting
            else ""
        )

    def _keep_act(self, act: StrategyActRow, now: int) -> None:
        self.version += 1
        take_act(self.days, act)
        write_act(self._journal, now, self._day, act)


def restored_strategies(
    strategies: Sequence[Strategy],
    workshop: StrategyWorkshop | None,
    days: Mapping[str, StrategyDay],
    tell: Callable[[str, str, str], None],
) -> list[Strategy]:
    """Return the strategies with the parameters that were changed today.

    A change that cannot be made again is logged and dropped: what is configured holds.
    """
    made = []
    for strategy in strategies:
        day = days.get(strategy.name)
        if day is not None and day.changes and workshop is not None:
            try:
                values = {key: change.value for key, change in day.changes.items()}
                table = changed_table(workshop, strategy.name, values)
                made.append(workshop.make(strategy.name, table))
                continue
            except ConfigError as error:
                day.changes.clear()
                text = f"the parameters changed today do not hold any more: {error}"
                tell("alarm", "strategy", f"{strategy.name}: {text}")
        made.append(strategy)
    return made
