"""Break the code on purpose, one promise at a time, and see that the proofs notice: `make mutants`.

Each mutant is a copy of the tree with one or two lines changed. First simulated days run against it, then the crash
points and the tests of the order path (of the adapter, too, where it is broken), until something fails. A mutant that survives is a missing test.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("brokers", "compiled", "engine", "store", "strategies", "tui", "tests", "pyproject.toml")
DAYS = 60
PATIENCE_S = 600


class Mutant(NamedTuple):
    """One way to be wrong: what it means, where, and which text becomes which."""

    name: str
    file: str
    old: str
    new: str


GATEWAY, BOOKS = "engine/trading/gateway.py", "engine/trading/books.py"
LOOKUPS = "engine/trading/lookups.py"
PROTECTION, ANSWERS = "compiled/protection.py", "compiled/answers.py"

MUTANTS = (
    Mutant("an unknown order is not looked up", BOOKS, "self.gateway.lookups.resolve(orders, triggers, began)", "pass"),
    Mutant(
        "an unknown order is given up at the first miss", LOOKUPS,
        "if item.misses < self.patience.looks or now - item.since < self.patience.settle_s * SECOND:",
        "if item.misses < 1:",
    ),
    Mutant(
        "an unknown order is sent again", GATEWAY,
        "            self._unknown(intent, str(error))",
        '            self._answer(intent, Verb.PLACE, Outcome.REFUSED, reason=f"busy: {error}")',
    ),
    Mutant("a request leaves before it is on disk", GATEWAY, "await self.journal.commit()", "self.journal.commit()"),
    Mutant(
        "the latch is not looked at before sending", GATEWAY,
        "return self.kill.latched and order.purpose is Purpose.ENTRY", "return False",
    ),
    Mutant(
        "the latch is forgotten in a restart", "engine/trading/killswitch.py",
        "                self._write(self._latch)\n", "",
    ),
    Mutant(
        "a halt leaves working entries alone", "compiled/positions.py", "                self.out.cancel(rung.entry)", "                pass",
    ),
    Mutant("a flatten only halts", "compiled/kernel.py", 'self._leave(ladder, "flatten")', "pass"),
    Mutant("a trade is booked twice", ANSWERS, "        if key in self.applied:\n            return\n", ""),
    Mutant("a restart forgets which trades it has booked", "engine/trading/restore.py", "    kernel.applied.add(", "    len("),
    Mutant(
        "a restart takes an unanswered order for dead", "engine/trading/restore.py",
        "        order.status = OrderStatus.UNKNOWN", "        order.status = OrderStatus.REJECTED",
    ),
    Mutant(
        "the sibling of an exit is not deleted", PROTECTION,
        "        out.delete_gtt(gtt)\n    if entry is not None and not settled(entry):\n        return\n    unguarded",
        "        pass\n    if entry is not None and not settled(entry):\n        return\n    unguarded",
    ),
    Mutant(
        "an exit leaves while its stop still stands", PROTECTION,
        "    if gtt is not None and gtt.live:\n        if gtt.status is GttStatus.ACTIVE and takes:\n"
        "            out.delete_gtt(gtt)\n        return\n",
        "",
    ),
    Mutant(
        "protection keeps its size when more is filled", PROTECTION,
        "    resized = gtt.legs[0].quantity != rung.quantity", "    resized = False",
    ),
    Mutant("nothing is protected", PROTECTION, "    else:\n        _place_gtt(out, ladder, rung, last)\n\n\ndef _near", "\n\ndef _near"),
    Mutant(
        "a stop follows the price down", PROTECTION,
        "    stop = trailed_stop(ladder, rung, rung.high) if ladder.plan.trail else rung.stop\n    resized",
        "    stop = stop_at(ladder, rung, last)\n    resized",
    ),
    Mutant(
        "orders on their way do not count as exposure", "compiled/positions.py", "coming = outstanding(entry)", "coming = 0",
    ),
    Mutant(
        "books that cannot be read count as empty", BOOKS,
        "            self.failures += 1\n            self.gateway.lookups.rest()\n            return False",
        "            orders, trades, triggers = [], [], []",
    ),
    Mutant(
        "a fill of an order given up is ignored", "compiled/orders.py",
        "    OrderStatus.LOST: _WORKING,", "    OrderStatus.LOST: (),",
    ),
    Mutant("a tag that stands at the broker is given out again", "compiled/outbox.py", "max(self.next_intent, number + 1)", "self.next_intent"),
    Mutant("a time-out counts as a refusal", "brokers/kite/outcome.py", "    return OrderUnknown(str(failed))", '    return OrderRefused("X", str(failed))'),
    Mutant(
        "hints put off the reading of GTTs", "engine/trading/pacing.py",
        "            if polled:  # GTTs are read then only: hints may not put that off\n    ", "",
    ),
    Mutant("a GTT left out of one look is not read in the next", BOOKS, "gtts or self._left_out or", "gtts or"),
    Mutant("a GTT that has fired counts as missing shares", "engine/trading/differences.py", " or token in behind", ""),
    Mutant("an exit nobody knew is looked at once only", ANSWERS, "            self._recall()", "            pass"),
    Mutant(
        "the stop of a cover order is not where the broker has put it", ANSWERS,
        "                    rung.stop = order.trigger\n", "                    pass\n",
    ),
    Mutant("what an exit sells is written off, too", "compiled/adoption.py", "part > 0 and rung.exit is None", "part > 0"),
    Mutant(
        "a GTT that cannot grow with its position is asked for ever", "compiled/triggers.py",
        "if self._short_of(ladder, rung, self.markets[int(gtt.token)].last):", "if False:",
    ),
    Mutant(
        "more is bought than any stop can hold", "compiled/entries.py",
        "entry.terms.several and rung.plan.stop_percent <= 0.0", "entry.terms.several",
    ),
    Mutant("intraday positions are left to the broker", "compiled/kernel.py", 'self._leave(ladder, "square-off")', "pass"),
    Mutant("nothing leaves in the night", "engine/desk.py", "                        feed.cancel()", "                        _cancel(daily)"),
    Mutant(
        "what was sold twice stays sold", PROTECTION, "        _take_back(out, ladder, rung, last)\n        return\n", "        return\n",
    ),
    Mutant(
        "an exit that may still arrive is sent again", PROTECTION,
        "if takes and out.now < rung.doubt and _sheltered(out, ladder, rung, last):", "if False:",
    ),
    Mutant("an exit offers more than there is", PROTECTION, "    if offered(order) > rung.quantity:\n", "    if False:\n"),
    Mutant(
        "a stop stays beside the exit it stood for", PROTECTION,
        "    if rung.gtt is not None and rung.gtt.live:\n        out.delete_gtt(rung.gtt)\n    guard.gone(out, rung)\n    if offered",
        "    if offered",
    ),
    Mutant(
        "the id of an answer outranks the tag", ANSWERS,
        "        if order is not None and order.tag and event.tag != order.tag:\n", "        if False:\n",
    ),
    Mutant(
        "the fill of an order that only an answer has named is booked", ANSWERS,
        "        if order is None or (order.tag and not order.proven):\n", "        if order is None:\n",
    ),
    Mutant("a twin that works goes on", ANSWERS, "        twin.unwanted = True\n", ""),
    Mutant("what cannot be cancelled at once stays", "compiled/kernel.py", "            self.clear_strays()\n", "            pass\n"),
    Mutant("a twin is nobody's after a restart", "engine/trading/restore.py", "        kernel.strays[order.intent] = order\n", "        pass\n"),
    Mutant("of two GTTs a restart keeps both", "engine/trading/restore.py", "        kernel.stray_gtts[gone.intent] = gone\n", "        pass\n"),
    Mutant("stops for more than is held count as right", "compiled/positions.py", "standing(rung) > rung.quantity", "False"),
    Mutant("a refusal is believed at once", LOOKUPS, "if began > refusal.moves else None", "if False else ''"),
    Mutant("an entry is given up while it may still arrive", LOOKUPS, "order.purpose is Purpose.ENTRY and now < until", "False"),
    Mutant("two unknown GTTs find the same one", LOOKUPS, " and str(update.gtt_id) not in taken", ""),
    Mutant(
        "an id that no book has shown is believed", LOOKUPS,
        "            if proof is None and now < due:\n", "            if proof is None:\n",
    ),
    Mutant(
        "an order is changed under an id that no book has shown", GATEWAY,
        "return changed > 0 and self.lookups.proves(changed)", "return False",
    ),
    Mutant("a GTT of somebody else is a twin", LOOKUPS, "update.token == gtt.token and same_legs(update.legs, gtt.made)", "True"),
    Mutant("a twin of a GTT is left alone", BOOKS, "if gtt.gtt_id or gtt.status in", "if gtt.status in"),
    Mutant("what was given up is not watched for", LOOKUPS, "        self._given_up[intent] = until\n", ""),
    Mutant("hints are taken for the whole truth", "engine/trading/pacing.py", "elif loop.hinted or polled or (unknown", "elif loop.hinted or (unknown"),
)  # fmt: skip

CONTROL = Mutant(
    "nothing is broken",
    BOOKS,
    "self.gateway.lookups.resolve(orders, triggers, began)",
    "self.gateway.lookups.resolve(orders, triggers, began)",
)


def grow(mutant, folder):
    """Copy the tree into a folder and break it there; the old text must stand there exactly once, the new one be Python."""
    for part in PARTS:
        subprocess.run(["cp", "-r", str(ROOT / part), str(folder)], check=True)
    target = folder / mutant.file
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    found = text.count(mutant.old)
    if found != 1:
        raise ValueError(f"{mutant.name}: {found} places in {mutant.file} read {mutant.old!r}")
    broken = text.replace(mutant.old, mutant.new)
    compile(broken, mutant.file, "exec")  # what can't even be read would be noticed by anything
    target.write_text(broken, encoding="utf-8")


def proofs(mutant):
    """Return (name, arguments, whether the native core may be used) of what is run against a mutant, in this order."""
    quick = not mutant.file.startswith("compiled/") and (ROOT / "build" / "native").is_dir()
    pytest = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not soak"]
    yield "simulated days", ["-m", "tests.simulation", "0", str(DAYS), "stop"], quick
    yield "crash points", [*pytest, "tests/simulation/test_crash_points.py"], quick
    yield "tests of the order path", [*pytest, "tests/core"], quick
    if mutant.file == "engine/desk.py":
        yield "nights", [*pytest, "tests/simulation/test_nights.py"], quick
    if mutant.file.startswith("brokers/"):
        yield "tests of the adapter", [*pytest, "tests/kite/test_outcomes.py"], quick


def hunt(mutant):
    """Return what notices a mutant and what it says, empty where it survives."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        grow(mutant, folder)
        for name, arguments, quick in proofs(mutant):
            path = os.pathsep.join([*([str(ROOT / "build" / "native")] if quick else []), str(folder)])
            done = subprocess.run(
                [sys.executable, "-P", *arguments], cwd=folder, capture_output=True, text=True, check=False,
                timeout=PATIENCE_S, env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
            if done.returncode:
                return name, _said(done.stdout + done.stderr)
    return "", ""


def _said(output):
    lines = [line.strip() for line in output.splitlines() if "seed " in line or line.startswith("FAILED")]
    return (lines or output.splitlines() or ["nothing"])[-1].strip()[:160]


def main(wanted):
    """Hunt every mutant, or those whose names contain `wanted`; return how many survived.

    The tree as it is goes first: proofs that fail by themselves would notice anything.
    """
    noticed, said = hunt(CONTROL)
    if noticed:
        print(f"{noticed} fail on the code as it is: {said}")
        return 1
    survived = 0
    for mutant in MUTANTS:
        if wanted in mutant.name:
            began = time.monotonic()
            noticed, said = hunt(mutant)
            survived += not noticed
            print(
                f"{noticed or 'SURVIVED':24} {mutant.name} ({time.monotonic() - began:.0f} s)\n{'':24} {said}",
                flush=True,
            )
    return survived


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1] if len(sys.argv) > 1 else "")))
