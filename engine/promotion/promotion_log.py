"""The log of promotions: a numbered record each, never changed, which a rollback goes back to.

promotions/0001.json   what was promoted or taken back, when, by whom, why, with daily returns
promotions/lock        held by the command that promotes
promotions/opened.toml what the desk has last opened with
promotions/evaluated   the day of the last evaluation
"""

import getpass
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, final

import msgspec
from msgspec import Struct

from engine.errors import ConfigError, DataError, OperatorError, in_words
from engine.promotion.next_day_file import (
    NextDayFile,
    PromotedStrategy,
    next_day_of,
    read_next_day,
    render_next_day,
    write_next_day,
)
from engine.system.file_hold import FileHold
from engine.system.private_files import make_private
from engine.system.whole_files import write_whole
from engine.texts import first_names, plain_text

FOLDER: Final = "promotions"
RecordAct = Literal["promotion", "rollback", "demotion"]
OPENED: Final = "opened.toml"
RECORD_NAME: Final = re.compile(r"[0-9]{4}|[1-9][0-9]{4,8}")
EVALUATED: Final = "evaluated"
EVALUATED_EVERY: Final = 7
"""Days after which the desk says that what is promoted was not evaluated."""


class PromotionStep(Struct, frozen=True, kw_only=True):
    """A step that a trial went through, and what came of it."""

    step: str
    verdict: Literal["pass", "fail"]
    text: str
    forceable: bool = True
    """Whether a reason is enough to promote it nevertheless."""


class PromotedTrial(Struct, frozen=True, kw_only=True):
    """A trial that was looked at: its steps, and, where it was promoted, its daily returns."""

    name: str
    trial: str
    promoted: bool
    steps: list[PromotionStep]
    days: list[str] = []
    """Sessions, ISO dates."""
    returns: list[float] = []
    """Net return of each of `days`, as a fraction."""


class PromotionRecord(Struct, frozen=True, kw_only=True):
    """A promotion, a demotion or a rollback; `after` is the file it has written.

    `state` is the record whose file is in force after it: its own, but for a rollback the one that
    is gone back to. `before` is what was in force until then. 0 is nothing.
    """

    number: int
    made: str
    act: RecordAct
    who: str
    sweep: str
    reason: str
    state: int
    before: int
    after: NextDayFile
    trials: list[PromotedTrial] = []


@final
class PromotionLog:
    """The records of a mode's state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.folder = state / FOLDER

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep others from promoting meanwhile; raise `OperatorError` while one does."""
        make_private(self.state)
        make_private(self.folder)
        hold = FileHold(self.folder / "lock", "the log of promotions", "wait for it")
        try:
            yield
        finally:
            hold.release()

    def numbers(self) -> list[int]:
        """Return the numbers of the records, oldest first."""
        stems = (path.stem for path in self.folder.glob("*.json"))
        # Other files may lie there: only the names that records are given count.
        return sorted(int(stem) for stem in stems if RECORD_NAME.fullmatch(stem))

    def record(self, number: int) -> PromotionRecord:
        """Return a record; raise `DataError` for one that is gone or cannot be read."""
        file = self.file_of(number)
        try:
            found = msgspec.json.decode(file.read_bytes(), type=PromotionRecord)
        except OSError as error:
            raise DataError(f"{file}: {in_words(error)}") from None
        except (msgspec.MsgspecError, ValueError) as error:
            raise DataError(f"{file} cannot be read: {error}") from None
        return found

    def records(self) -> list[PromotionRecord]:
        """Return all records, oldest first; raise `DataError`."""
        return [self.record(number) for number in self.numbers()]

    def file_of(self, number: int) -> Path:
        """Return where a record is kept."""
        return self.folder / f"{number:04}.json"

    def in_force(self) -> tuple[NextDayFile, str]:
        """Return the file there is, and the fault of one that cannot be used, and what counts.

        In its place counts what the newest record has written. A file whose own record is gone is
        used, as one that nothing came before. Raise `ConfigError` without one.
        """
        try:
            found = read_next_day(self.state)
        except ConfigError as error:
            if not (numbers := self.numbers()):
                raise
            newest = numbers[-1]
            return self.record(newest).after, f"{error}: record {newest} counts in its place"
        try:
            self.state_after(found.number)
        except DataError as error:
            fault = f"{error}: what is promoted counts as the first, there is no way back from it"
            return next_day_of(found.promoted, 0), fault
        return found, ""

    def next_number(self) -> int:
        """Return the number of the next record."""
        return max(self.numbers(), default=0) + 1

    def state_after(self, number: int) -> int:
        """Return the record whose file is in force after one; 0 is nothing."""
        return self.record(number).state if number else 0

    def file_after(self, state: int) -> NextDayFile:
        """Return the file of a state."""
        return self.record(state).after if state else NextDayFile()

    def previous_state(self, number: int) -> int:
        """Return what a rollback goes back to from the file that a record has written."""
        return self.record(self.state_after(number)).before

    def next_record(
        self,
        act: RecordAct,
        old: NextDayFile,
        promoted: list[PromotedStrategy],
        *,
        now: datetime,
        sweep: str = "",
        reason: str = "",
        state: int | None = None,
        trials: Sequence[PromotedTrial] = (),
    ) -> PromotionRecord:
        """Return the record, made `now` (UTC) by this user, of a change of the old file to these.

        It is a state of its own where no other one is named.
        """
        number = self.next_number()
        return PromotionRecord(
            number=number,
            made=now.isoformat(timespec="seconds"),
            act=act,
            who=this_user(),
            sweep=sweep,
            reason=reason,
            state=number if state is None else state,
            before=self.state_after(old.number),
            after=next_day_of(promoted, number),
            trials=list(trials),
        )

    def put(self, record: PromotionRecord) -> None:
        """Keep a record, then write its file: a file always has its record.

        Raise `OperatorError`: then the old file stands, and nothing is on record.
        """
        file = self.file_of(record.number)
        if file.exists():
            raise OperatorError(f"{file} is there already: nothing was promoted")
        text = msgspec.json.format(msgspec.json.encode(record)).decode()
        write_whole(file, lambda fresh: fresh.write_text(text + "\n", encoding="utf-8"))
        try:
            write_next_day(self.state, record.after)
        except BaseException:
            # It was not promoted: as the newest record it would count in place of a broken file.
            if self._number_in_force() != record.number:
                file.unlink(missing_ok=True)
            raise

    def _number_in_force(self) -> int:
        try:
            return read_next_day(self.state).number
        except ConfigError:
            return -1

    def opened(self) -> NextDayFile:
        """Return what the desk has last opened with; nothing where that cannot be read."""
        try:
            return read_next_day(self.folder, OPENED)
        # It only tells what has changed: a broken one must not keep a desk from opening.
        except OperatorError:
            return NextDayFile()

    def keep_opened(self, file: NextDayFile) -> None:
        """Keep what the desk has opened with; raise `OperatorError`."""
        if file == self.opened():
            return
        make_private(self.folder)
        text = render_next_day(file)
        write_whole(self.folder / OPENED, lambda fresh: fresh.write_text(text, encoding="utf-8"))

    def keep_evaluated(self, day: date) -> None:
        """Keep the day of an evaluation of all that is promoted; raise `OperatorError`."""
        make_private(self.folder)
        write_whole(self.folder / EVALUATED, lambda fresh: fresh.write_text(f"{day}\n"))

    def overdue_text(self, file: NextDayFile, today: date) -> str:
        """Return what of a file was not evaluated for more than a week, in a line; empty: none."""
        text = ""
        # a mark that is broken is as good as none: it only reminds
        with suppress(OSError, ValueError):
            text = str(date.fromisoformat((self.folder / EVALUATED).read_text("utf-8").strip()))
        limit = str(today - timedelta(days=EVALUATED_EVERY))
        # ISO dates compare as texts
        names = [each.name for each in file.promoted if max(each.origin.since, text) < limit]
        if not names:
            return ""
        when = f"since {text}" if text else "yet"
        return plain_text(f"{first_names(names)} not evaluated {when}: patang evaluate")


def this_user() -> str:
    """Return the name of whoever promotes, empty where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def record_line(record: PromotionRecord) -> dict[str, object]:
    """Return a record as a line of the history."""
    return {
        "number": record.number,
        "made": record.made,
        "act": record.act,
        "who": record.who,
        "sweep": record.sweep,
        "reason": record.reason,
        "state": record.state,
        "promoted": json.loads(msgspec.json.encode(list(record.after.strategy))),
    }
