"""Rules by which a desk's day is well, in need of attention, or wrong; each with its mend.

Whatever is as it should be on a healthy desk is good, however unusual: a row that is always lit
warns of nothing.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from compiled.model.values import MINUTE, SECOND
from engine.board.feed_view import held_or_traded
from engine.board_rows import ATTENTION, GOOD, WRONG
from engine.day.timekeeper import NAME as CLOCK
from engine.day.timekeeper import SLACK
from engine.errors import OperatorError
from engine.market.calendar import ist_day
from engine.market.session_table import CONTINUOUS
from engine.numbers import count, countdown, counted, log_time, time_of_day
from engine.ops.health_sources import HealthSources, PulseReading
from engine.ops.watchdog import JOURNAL
from engine.texts import first_names

if TYPE_CHECKING:
    from engine.day.day_loop import DayLoop

FRESH: Final = 15 * MINUTE
"""How long something that is over by itself (an alarm, a dead letter) asks for a look."""
WARN_BEFORE: Final = 15 * MINUTE
"""How long before its end a session with the broker needs the next login."""
SLOW: Final = 3 * SECOND
"""From then on a request that waits for its turn or its answer does so for long."""
UNSEEN: Final = MINUTE
"""How long a GTT may be asked for without having been listed by the broker."""
UNHEARD: Final = 10
"""Fills since the last word of the feed on any order: it tells of none any more."""
CROWDED: Final = 0.8
FULL: Final = 0.95
"""Shares of a bound from which it is nearly used up, and used up as good as."""
THREADS: Final = 200
MB: Final = 1_048_576
SESSION, BROKER = "session", "broker"
"""Names of the holds of `day_loop`, which knows this module."""


class OpeningFacts(NamedTuple):
    """Facts of a day's opening, read once."""

    read: int = 0
    """When the list of instruments came (ns UTC)."""
    remarks: tuple[str, ...] = ()
    """What is unsure of the market's dated rows."""
    overdue: str = ""
    """What is promoted and has not been evaluated for a week."""


def broker_pulses(loop: "DayLoop", sources: HealthSources, now: int) -> Iterator[PulseReading]:
    """Judge the ways to the broker."""
    ends = sources.session_ends()
    # Where no login can renew it there is no hold: the books say so themselves.
    refused = loop.poller.error if loop.gateway.lookups.failing_since else None
    why = loop.holds.get(SESSION, "") or (
        str(refused) if isinstance(refused, OperatorError) else ""
    )
    if why:
        mend = "Log in: patang login in a shell. Protection stays at the broker meanwhile."
        yield PulseReading("session", why, WRONG, mend)
    # A token ends at its hour whatever happens; the next login is a person's work.
    elif ends and ends - now < WARN_BEFORE:
        mend = "Log in again when it has ended: patang login in a shell."
        yield PulseReading("session", f"ends in {countdown(ends - now)}", ATTENTION, mend)
    else:
        text = f"until {log_time(ends)}" if ends else "needs no login"
        yield PulseReading("session", text)
    since, what = loop.gateway.waiting_since()
    if why := loop.holds.get(BROKER, ""):
        mend = (
            "Entries wait, protection is at the broker. Look at the network and at the broker's "
            "status page; patang doctor (s in DOCTOR) asks him from here."
        )
        yield PulseReading("broker", why, WRONG, mend)
    # An answer takes as long of the machine's time at any speed of the market.
    elif since and now - since > SLOW * loop.pace:
        mend = "Nothing yet: entries are held back by themselves if it lasts."
        yield PulseReading("broker", f"{what} waits {(now - since) // SECOND} s", ATTENTION, mend)
    else:
        yield PulseReading("broker", "answers")
    yield _update_pulse(loop)


def _update_pulse(loop: "DayLoop") -> PulseReading:
    name = "order updates"
    # By fills and not by time: a desk without orders has nothing to be told of.
    if loop.unheard_fills >= UNHEARD:
        mend = (
            "The books are read all the same, every few seconds: fills come late, not wrong. Look "
            "at the feed's connection (patang doctor); the broker may have lost the stream."
        )
        return PulseReading(
            name, f"none for {counted(loop.unheard_fills, 'fill')}", ATTENTION, mend
        )
    return PulseReading(name, f"last at {time_of_day(loop.hinted)}" if loop.hinted else "none yet")


def market_pulses(loop: "DayLoop", now: int) -> Iterator[PulseReading]:
    """Judge the feed and what it has lost."""
    header = loop.board.header
    # Over night the desk lets the feed go by itself.
    if loop.is_feed_away and loop.state != "closed":
        mend = (
            "It reconnects by itself, and reads the minutes it has lost. If it does not: network, "
            "then patang doctor; stops at the broker hold meanwhile."
        )
        yield PulseReading("feed link", "down", WRONG, mend)
    else:
        text = "let go until the next day" if loop.is_feed_away else "up"
        yield PulseReading("feed link", text)
    # Outside continuous trading few ticks are due.
    silent = header.feed_age > loop.kernel_view.stale_after
    if silent and header.phase == CONTINUOUS:
        mend = (
            "Nothing is entered on old prices. Look at the link above, then at the broker's page."
        )
        text = f"{header.feed_age // SECOND} s old"
        yield PulseReading("feed age", text, WRONG, mend)
    else:
        yield PulseReading("feed age", "live" if header.phase == CONTINUOUS else "quiet")
    if header.feed_lag:
        mend = (
            "Nothing is entered on late ticks, and no stop moves by them. The line or this machine "
            "is too slow, or its clock is ahead: patang doctor; name fewer in feed.watch."
        )
        yield PulseReading("feed lag", f"{header.feed_lag // SECOND} s late", WRONG, mend)
    else:
        yield PulseReading("feed lag", "in time")
    yield _silence_pulse(loop)
    yield _lost_minutes_pulse(loop)
    cold = loop.warming.cold_count if loop.warming is not None else 0
    if cold:
        total = len(loop.kernel.state.markets)
        mend = "It goes on by itself; no strategy enters these before."
        yield PulseReading("history", f"reading {total - cold}/{total}", ATTENTION, mend)
    else:
        yield PulseReading("history", f"of {count(len(loop.kernel.state.markets))} instruments")
    yield _letters_pulse(loop, now)


def _silence_pulse(loop: "DayLoop") -> PulseReading:
    bad = [row for row in loop.board.feed.rows if row.state in {"silent", "late"}]
    name, total = "instruments", len(loop.board.feed.rows)
    if not bad:
        return PulseReading(name, f"{count(total)} under watch")
    # What the desk goes by is named first, and alone makes it wrong.
    worst = sorted(bad, key=lambda row: (row.heard, row.symbol))
    markets = loop.kernel.state.markets
    ours = [row.symbol for row in worst if held_or_traded(markets[row.token])]
    text = f"{len(bad)} silent: {first_names(ours or [row.symbol for row in worst], 2)}"
    mend = (
        "FEED has them, the worst first. Their stops do not trail meanwhile; the minutes are read "
        "afterwards. If all others tick, the broker sends no more of these: start the desk anew."
    )
    return PulseReading(name, text, WRONG if ours else ATTENTION, mend)


def _lost_minutes_pulse(loop: "DayLoop") -> PulseReading:
    lost = loop.gaps.lost_by_token.total()
    if not lost:
        healed = loop.gaps.healed_by_token.total()
        return PulseReading("lost minutes", f"{count(healed)} read again" if healed else "none")
    mend = (
        "They are read from the broker's history a minute after the gap. What stays: patang bars "
        "gaps names it, and patang bars download reads it in the evening."
    )
    return PulseReading("lost minutes", counted(lost, "minute"), ATTENTION, mend)


def _letters_pulse(loop: "DayLoop", now: int) -> PulseReading:
    # They were kept out, so that nothing is wrong for good: fresh ones are worth a look.
    letters = loop.dead_letters
    if letters.last and now - letters.last < FRESH:
        mend = (
            "LETTERS shows them, enter one whole: they were kept out of prices and bars. Many of "
            "one reason: patang letters replay judges them again."
        )
        return PulseReading("dead letters", f"{count(letters.count)} today", ATTENTION, mend)
    return PulseReading(
        "dead letters", f"{count(letters.count)} today" if letters.count else "none"
    )


def order_pulses(loop: "DayLoop", now: int) -> Iterator[PulseReading]:
    """Judge requests on their way."""
    yield _governor_pulse(loop, now)
    unresolved = list(loop.gateway.unresolved.values())
    if unresolved:
        since = min(each.since for each in unresolved)
        mend = (
            "The books are searched for them; they count as if they filled. 4 shows each with its "
            "life (t). If it lasts: look into the broker's own order book."
        )
        text = f"{len(unresolved)}, for {(now - since) // SECOND} s"
        yield PulseReading("unknown requests", text, WRONG, mend, patience_s=30.0)
    else:
        yield PulseReading("unknown requests", "none")
    unseen = [
        gtt
        for gtt in loop.kernel.order_store.gtts.values()
        if gtt.live and not gtt.proven and now - int(gtt.created) > UNSEEN * loop.pace
    ]
    if unseen:
        symbols = {loop.kernel.view.instrument(gtt.token).symbol for gtt in unseen}
        mend = (
            "The broker has not listed them for a minute: look into his GTTs, and into DIFFERENCES "
            "(6). The desk asks again by itself, and counts the shares as naked."
        )
        yield PulseReading(
            "GTTs", f"{len(unseen)} not seen: {first_names(sorted(symbols), 2)}", WRONG, mend
        )
    else:
        live = sum(gtt.live for gtt in loop.kernel.order_store.gtts.values())
        yield PulseReading("GTTs", f"{count(live)} seen at the broker" if live else "none")


def _governor_pulse(loop: "DayLoop", now: int) -> PulseReading:
    state, name = loop.board.governor, "governor"
    text = f"{state.last_minute}/{state.per_minute} min, {count(state.today)} today"
    # A refusal for haste passes; the day's bound does not.
    held = max((ns for _, ns in state.held), default=0)
    waits = max((now - row.since for row in loop.board.queue.rows), default=0)
    if state.per_day and state.today >= CROWDED * state.per_day:
        mend = "Entries stop at the day's bound, exits keep a reserve. 6 shows it; enter less."
        return PulseReading(name, f"{count(state.today)} of the day's orders", WRONG, mend)
    if held:
        mend = "It goes on by itself; exits are never held back. If it repeats: fewer orders."
        return PulseReading(name, "the broker is busy (429)", ATTENTION, mend)
    if waits > SLOW * loop.pace:
        mend = "6 shows what waits and when it leaves; exits go first."
        return PulseReading(name, f"{loop.gateway.waiting} wait", ATTENTION, mend)
    return PulseReading(name, text)


def money_pulses(loop: "DayLoop") -> Iterator[PulseReading]:
    """Judge positions and the switch."""
    header = loop.board.header
    if header.kill:
        mend = "Find the reason in LOG, mend it, then ctrl+r (patang resume --reason ...)."
        yield PulseReading("kill switch", f"{header.kill}: {header.kill_reason}", WRONG, mend)
    else:
        yield PulseReading("kill switch", "not pulled")
    if header.naked:
        mend = (
            "Their protection is missing or too small; the desk places it again by itself. "
            "1 and n go to the row, x leaves it; ctrl+k halts."
        )
        text = counted(header.naked, "position")
        yield PulseReading("naked", text, WRONG, mend, patience_s=30.0)
    else:
        yield PulseReading("naked", "none")
    if loop.overdue:
        mend = "They cannot be left by the desk: leave them at the broker's own terminal."
        yield PulseReading("intraday left", first_names(loop.overdue, 3), WRONG, mend)
    else:
        yield PulseReading("intraday left", "none")


def entry_pulses(loop: "DayLoop", now: int) -> Iterator[PulseReading]:
    """Judge what keeps the desk from trading: all it follows from stands before it."""
    yield _difference_pulse(loop)
    yield _strategy_pulse(loop)
    # Fifty differences are no line to read: they have their own row, and their own screen.
    differ = [counted(len(loop.differences), "difference")] if loop.differences else []
    why = "; ".join((*differ, *loop.holds.values()))
    if why and loop.state == "read-only":
        mend = "Exits and protection still leave. Each cause has its own row here, or stands in 6."
        yield PulseReading("entries", f"held back: {why}", WRONG, mend)
    else:
        yield PulseReading("entries", loop.state)
    yield _alarm_pulse(loop, now)


def _difference_pulse(loop: "DayLoop") -> PulseReading:
    name = "differences"
    # Nothing is known to differ: that it cannot be known stands with the broker above.
    if why := loop.reconciler.unreadable:
        mend = "They are read again by themselves; until then nothing is entered."
        return PulseReading(name, why, ATTENTION, mend)
    if loop.differences:
        mend = "6 shows each: a adopts, s assigns, i ignores, f flattens (patang reconcile)."
        text = f"{len(loop.differences)} to decide"
        return PulseReading(name, text, WRONG, mend)
    return PulseReading(name, "none" if loop.reconciler.books is not None else "not compared yet")


def _strategy_pulse(loop: "DayLoop") -> PulseReading:
    slots, name = loop.kernel.state.slots, "strategies"
    failed = [row.strategy for row in loop.board.failures.rows]
    if failed:
        mend = (
            "d shows what it was and takes the mark away; LOG has the traceback (patang trace "
            "NAME). Its positions keep their stops; start the desk anew once it is mended."
        )
        return PulseReading(name, f"failed: {first_names(failed, 2)}", WRONG, mend)
    runs = sum(not slot.stopped for slot in slots)
    # One that the operator has stopped is as he wants it.
    if stopped := [slot.name for slot in slots if slot.limit_stopped]:
        mend = "5 and 6 show the limit; it holds for the day (patang limits set changes it)."
        return PulseReading(name, f"limit: {first_names(stopped, 2)}", ATTENTION, mend)
    return PulseReading(name, f"{runs} of {len(slots)} run" if slots else "none configured")


def _alarm_pulse(loop: "DayLoop", now: int) -> PulseReading:
    total, last = sum(loop.board.alarms.values()), _last_alarm(loop, now)
    if last is not None:
        mend = "LOG has it whole (enter), f there shows alarms alone; d sums the day up."
        return PulseReading("alarms", f"{count(total)} today: {last}", ATTENTION, mend)
    return PulseReading("alarms", f"{count(total)} today" if total else "none")


def _last_alarm(loop: "DayLoop", now: int) -> str | None:
    """Return the newest alarm's text, None where it is older than a quarter of an hour."""
    for row in reversed(loop.board.events):
        if row.level == "alarm" or now - row.ts > FRESH:
            return row.text if row.level == "alarm" and now - row.ts <= FRESH else None
    return None


def record_pulses(
    loop: "DayLoop", facts: OpeningFacts, sources: HealthSources, now: int
) -> Iterator[PulseReading]:
    """Judge what is written down, and what was read in the morning."""
    # The worst of the day is no fault of now: TIMES keeps it.
    disk = loop.gateway.durable_journal.state
    if JOURNAL in sources.machine.findings:
        mend = (
            "What is written now is lost with the process. Move the file back; or leave what is "
            "open (ctrl+k), end the desk and restore a copy: patang reconcile adopts the rest."
        )
        yield PulseReading("journal", "its file is gone from the disk", WRONG, mend)
    elif disk.behind >= 0.5:
        mend = (
            "Entries wait for the disk, exits and protection for a second at most. Something else "
            "uses it, or it fails: look at the machine (iotop, dmesg)."
        )
        state = WRONG if disk.behind >= 1.0 else ATTENTION
        yield PulseReading("journal", f"{disk.behind:.0f} s behind", state, mend)
    else:
        ahead = f"; {disk.ahead} left ahead" if disk.ahead else ""
        yield PulseReading("journal", f"on disk{ahead}")
    for gauge in sources.gauges:
        yield gauge()
    today = ist_day(now)
    if facts.read and ist_day(facts.read) != today and loop.state != "closed":
        mend = "It is of another day: start the desk anew, which asks the broker again."
        yield PulseReading("static data", f"of {ist_day(facts.read)}", ATTENTION, mend)
    else:
        yield PulseReading("static data", f"instruments of {today}")
    # Without money at stake the newer hours hold as they stand in the table.
    if facts.remarks and loop.board.header.mode in {"SANDBOX", "REPLAY"}:
        yield PulseReading("market rows", "some unconfirmed: nothing is at stake here")
    elif facts.remarks:
        mend = "patang calendar shows the rows; confirm them under [market] in config.toml."
        yield PulseReading("market rows", facts.remarks[0].partition(":")[0], ATTENTION, mend)
    else:
        yield PulseReading("market rows", "confirmed")
    if loop.flags:
        mend = "Stops and GTTs over an ex-date: look at each (LOG), move or delete it at need."
        yield PulseReading("ex-dates", loop.flags[0], ATTENTION, mend)
    # As it was in the morning: an evaluation during the day counts from the next opening on.
    if facts.overdue:
        mend = "patang evaluate (s on it in JOBS)."
        yield PulseReading("evaluation", facts.overdue, ATTENTION, mend)
    else:
        yield PulseReading("evaluation", "nothing overdue")


def machine_pulses(loop: "DayLoop", sources: HealthSources, steady: int) -> Iterator[PulseReading]:
    """Judge this machine; `steady` is monotonic ns."""
    yield _clock_pulse(loop, sources)
    machine = sources.machine
    if machine.free >= 0:
        free, least = machine.free // MB, sources.disk_mb
        text = f"{count(free)} MB free"
        mend = "Free some space: patang bars archive push, patang bars compact; old recordings."
        state = WRONG if free < least else ATTENTION if free < 2 * least else GOOD
        yield PulseReading("disk space", text, state, mend)
    if machine.memory:
        yield _bounded_pulse(
            "memory",
            machine.memory // MB,
            sources.memory_mb,
            "MB",
            "End the desk and start it anew when nothing is under way; see patang status.",
        )
    if machine.most_descriptors:
        yield _bounded_pulse(
            "descriptors",
            machine.descriptors,
            machine.most_descriptors,
            "open",
            "End the desk and start it anew; raise the bound of the shell (ulimit -n).",
        )
    if machine.threads:
        yield _bounded_pulse(
            "threads", machine.threads, THREADS, "", "End the desk and start it anew: they pile up."
        )
    for name, patience, mend in (
        ("watchdog", 5, "Nothing watches the desk any more: halt (ctrl+k), and start it anew."),
        ("control", 5, "patang kill from a shell works by the file KILL and by SIGUSR1 still."),
    ):
        # A simulated desk has no such threads.
        if name in sources.beats:
            yield _beat_pulse(name, steady - sources.beats[name], patience, mend)
    drawn = loop.board.focus.drawn
    if drawn:
        mend = "The terminal is slow or gone; the desk goes on. patang kill works from a shell."
        yield _beat_pulse("screen", steady - drawn, 5, mend)
    else:
        yield PulseReading("screen", "none")


def _clock_pulse(loop: "DayLoop", sources: HealthSources) -> PulseReading:
    name = "clock"
    if why := loop.holds.get(CLOCK, ""):
        return PulseReading(name, why, WRONG, "Set the machine's clock, and start the desk anew.")
    mend = "Its time service is not at work: chrony or systemd-timesyncd; patang doctor measures."
    moved = sources.machine.moved / SECOND
    if sources.clock_s and abs(moved) > sources.clock_s:
        text = f"the machine's moved {moved:+.1f} s"
        return PulseReading(name, text, ATTENTION, f"{mend} When it is right, start the desk anew.")
    offset = loop.timekeeper.offset if loop.timekeeper is not None else None
    if offset is None:
        return PulseReading(name, "not compared")
    text = f"{abs(offset) / SECOND:.1f} s {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) > 2 * SLACK * loop.pace:
        return PulseReading(name, text, ATTENTION, mend)
    # Below what an answer's whole seconds leave open there is nothing to be told.
    return PulseReading(name, "as the exchange's")


def _bounded_pulse(name: str, used: int, bound: int, unit: str, mend: str) -> PulseReading:
    """Judge a figure by its bound, 0 for none."""
    text = f"{count(used)} {unit}".strip() + (f" of {count(bound)}" if bound else "")
    state = WRONG if bound and used >= FULL * bound else GOOD
    if state == GOOD and bound and used >= CROWDED * bound:
        state = ATTENTION
    return PulseReading(name, text, state, mend)


def _beat_pulse(name: str, age: int, patience: int, mend: str) -> PulseReading:
    """Judge a thread by the age (ns) of its last turn and the seconds it may take."""
    if age > patience * SECOND:
        return PulseReading(name, f"silent for {age // SECOND} s", WRONG, mend)
    return PulseReading(name, "turns")


def all_pulses(
    loop: "DayLoop", facts: OpeningFacts, sources: HealthSources, now: int, steady: int
) -> Sequence[PulseReading]:
    """Judge everything, in the order in which it is shown."""
    return [
        *money_pulses(loop),
        *broker_pulses(loop, sources, now),
        *market_pulses(loop, now),
        *order_pulses(loop, now),
        *entry_pulses(loop, now),
        *record_pulses(loop, facts, sources, now),
        *machine_pulses(loop, sources, steady),
    ]
