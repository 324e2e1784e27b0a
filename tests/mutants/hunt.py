"""Break the code on purpose, one promise at a time, and see that the proofs notice: `make mutants`.

Each mutant (`tests/mutants/engine_mutants.py`, `core_mutants.py`, `position_mutants.py`,
`promotion_mutants.py`, `attach_mutants.py`) is a copy of the tree with one or two lines changed.
First the tests of the order path run against it, those of what is broken before the others, then
simulated days and the crash points, until something fails. One that survives is a missing test.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.attach_mutants import ATTACH
from tests.mutants.core_mutants import CORE
from tests.mutants.engine_mutants import BOOKS, ENGINE, Mutant
from tests.mutants.position_mutants import POSITIONS
from tests.mutants.promotion_mutants import PROMOTION

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    *("brokers", "compiled", "docs", "engine", "store", "strategies", "tui", "tests"),
    *("README.md", "config.toml", "pyproject.toml"),
)
DAYS = 60
PATIENCE_S = 1_800
"""A proof that takes longer decides nothing: the machine is busy, or the mutant has hung."""
MUTANTS = (*ENGINE, *CORE, *POSITIONS, *PROMOTION, *ATTACH)
RESOLVES = "self.gateway.lookups.resolve(orders, triggers, began)"
CONTROL = Mutant("nothing is broken", BOOKS, RESOLVES, RESOLVES)
CORNERS, LIES = (
    "tests/compiled/trading/test_order_path_corners.py",
    "tests/compiled/trading/reports/test_lying_answers.py",
)
BANDS, BACK_OFF = (
    "tests/compiled/trading/test_price_bands.py",
    "tests/compiled/trading/test_back_off.py",
)
HOURS, MORNING = (
    "tests/compiled/trading/test_unconfirmed_hours.py",
    "tests/compiled/trading/test_first_trade.py",
)
NUMBERS, LACKING = (
    "tests/compiled/trading/test_bounds.py",
    "tests/compiled/trading/reports/test_lacking.py",
)
AWAY, CLOCKS = "tests/simulation/test_away.py", "tests/simulation/test_clocks.py"
DIVISIONS = "tests/compiled/trading/reports/test_divisions.py"
ACTS = "tests/engine/manual/test_strategy_acts.py"
STOPS = "tests/compiled/trading/test_strategy_acts.py"
DEPOSITORY = "tests/compiled/trading/test_depository.py"
DRY, OWNER = "tests/compiled/trading/test_dry_run.py", "tests/compiled/trading/test_owner.py"
BY_HAND = "tests/compiled/trading/test_position_acts.py"
BY_HAND_AGAIN = "tests/engine/orders/test_position_acts_restart.py"
PROMOTE = "tests/engine/promotion/test_promote_commands.py"
EVALUATE = "tests/engine/promotion/test_evaluate_commands.py"
ORDER_PATH = (
    "tests/compiled",
    "tests/engine/orders",
    "tests/engine/reconcile",
    "tests/engine/day",
    "tests/engine/manual",
)
NEAREST = {
    "compiled/trading/exits/part_exits.py": [BY_HAND],
    "compiled/trading/position_acts.py": [BY_HAND],
    "engine/manual/position_desk.py": ["tests/engine/manual/test_position_desk.py"],
    "engine/manual/break_even.py": ["tests/engine/manual/test_position_desk.py"],
    "engine/orders/records.py": [BY_HAND_AGAIN],
    "compiled/market_data/tick_filter.py": ["tests/compiled/market_data/test_tick_filter.py"],
    "engine/config/addresses.py": ["tests/engine/config/test_address.py"],
    "engine/books/journal_rows.py": ["tests/engine/orders/test_kept_numbers.py"],
    "engine/manual/day_limits.py": ["tests/engine/manual/test_day_limits.py"],
    "tui/attach/": ["tests/attach/test_attached_screens.py"],
    "engine/manual/strategy_acts.py": [ACTS],
    "engine/orders/strategy_days.py": [ACTS],
    "compiled/trading/restart/kernel_restore.py": [ACTS],
    "tui/run/replay/": ["tests/desk/test_time_travel.py"],
    "tui/run/session.py": ["tests/engine/config/test_address.py"],
    "compiled/trading/risk.py": [NUMBERS],
    "brokers/kite/": ["tests/brokers/kite/test_outcomes.py", "tests/brokers/kite/test_figures.py"],
    "compiled/trading/reports/corrections.py": [
        LACKING,
        "tests/engine/reconcile/test_reconcile_choices.py",
    ],
    "compiled/trading/reports/order_reports.py": [NUMBERS, LIES, CORNERS, DRY, OWNER, BY_HAND],
    "compiled/model/exchange_rules.py": ["tests/compiled/model/test_exchange_rules.py", BANDS],
    "compiled/trading/order_entry.py": [
        NUMBERS,
        BY_HAND,
        DRY,
        MORNING,
        HOURS,
        "tests/engine/day/test_warming.py",
        "tests/compiled/trading/test_limit_only.py",
    ],
    "compiled/trading/reports/share_division.py": [DIVISIONS],
    "compiled/trading/exits/exit_escalation.py": [
        "tests/compiled/trading/test_escalation.py",
        BANDS,
    ],
    "compiled/trading/stop_orders.py": [
        "tests/compiled/trading/test_resting_stops.py",
        BANDS,
        CORNERS,
    ],
    "compiled/trading/kernel.py": [
        STOPS,
        MORNING,
        HOURS,
        BANDS,
        "tests/engine/day/test_warming.py",
        "tests/engine/orders/test_failures.py",
    ],
    "compiled/trading/ladder.py": [
        BANDS,
        BY_HAND,
        DEPOSITORY,
        "tests/compiled/trading/test_resting_stops.py",
    ],
    "compiled/model/values.py": [NUMBERS, HOURS],
    "compiled/accounting/contract_notes.py": [
        "tests/compiled/accounting/test_notes.py",
        "tests/engine/orders/test_order_path_restart.py",
    ],
    "compiled/trading/order_store.py": [BACK_OFF],
    "compiled/trading/ladder_book.py": [NUMBERS, DRY, LIES, CORNERS, LACKING, BY_HAND],
    "compiled/trading/desk_view.py": [NUMBERS, DRY, LIES, CORNERS, LACKING, BY_HAND],
    "compiled/trading/risk_gate.py": [
        "tests/compiled/trading/test_cheap_shares.py",
        NUMBERS,
        BY_HAND,
        MORNING,
        HOURS,
        "tests/engine/day/test_warming.py",
        "tests/compiled/trading/test_limit_only.py",
    ],
    "compiled/trading/strategy_host.py": [
        STOPS,
        MORNING,
        "tests/engine/day/test_warming.py",
        "tests/compiled/trading/test_failing_strategies.py",
    ],
    "compiled/trading/market_feed.py": [MORNING, BANDS],
    "compiled/accounting/charges.py": ["tests/compiled/accounting/test_notes.py", CORNERS],
    "compiled/trading/protection.py": [LIES, BACK_OFF, HOURS, CORNERS, LACKING, BY_HAND],
    "compiled/trading/reports/gtt_reports.py": [
        LIES,
        BACK_OFF,
        CORNERS,
        LACKING,
        OWNER,
        DIVISIONS,
        BY_HAND,
    ],
    "engine/desk.py": ["tests/simulation/test_nights.py"],
    "engine/market/instrument_hours.py": [HOURS, "tests/engine/market/test_schedules.py"],
    "engine/system/private_files.py": [
        "tests/engine/orders/test_killswitch.py",
        "tests/engine/ops/test_private.py",
    ],
    "engine/system/processes.py": ["tests/engine/ops/test_register.py"],
    "engine/orders/back_off.py": [BACK_OFF],
    "engine/day/price_bands.py": [BANDS],
    "engine/reconcile/poller.py": [
        LIES,
        CORNERS,
        "tests/engine/orders/test_order_path_gateway.py",
        AWAY,
        OWNER,
    ],
    "engine/reconcile/reconcile_actions.py": [
        OWNER,
        "tests/engine/reconcile/test_reconcile_choices.py",
    ],
    "engine/books/books_snapshot.py": ["tests/engine/reconcile/test_reconcile.py", LACKING, OWNER],
    "engine/books/differences.py": ["tests/engine/reconcile/test_reconcile.py", LACKING, OWNER],
    "engine/books/position_differences.py": [
        "tests/engine/reconcile/test_reconcile.py",
        LACKING,
        OWNER,
    ],
    "engine/books/share_divisions.py": [DIVISIONS],
    "engine/orders/durable_journal.py": [CORNERS, "tests/simulation/test_bad_disks.py"],
    "engine/board/strategy_failures.py": ["tests/engine/orders/test_failures.py"],
    "engine/orders/gateway.py": [
        "tests/engine/orders/test_order_path_gateway.py",
        CORNERS,
        LIES,
        DEPOSITORY,
    ],
    "engine/orders/governor.py": ["tests/engine/orders/test_governor.py"],
    "engine/orders/killswitch.py": ["tests/engine/orders/test_killswitch.py"],
    "engine/orders/request_lookups.py": [LIES, OWNER],
    "engine/day/day_loop.py": [LACKING, OWNER, CLOCKS, AWAY],
    "engine/day/pacing.py": ["tests/engine/orders/test_order_path_gateway.py", CORNERS, OWNER],
    "engine/reconcile/reconciler.py": [
        "tests/engine/reconcile/test_reconcile.py",
        OWNER,
        DIVISIONS,
    ],
    "engine/day/broker_reach.py": ["tests/engine/reconcile/test_reach.py"],
    "engine/orders/restore.py": ["tests/engine/orders/test_order_path_restart.py", CORNERS, LIES],
    "compiled/trading/restart/": [
        "tests/engine/orders/test_order_path_restart.py",
        BY_HAND_AGAIN,
        CORNERS,
        LIES,
    ],
    "engine/books/share_register.py": ["tests/engine/orders/test_order_path_restart.py"],
    "engine/day/timekeeper.py": [CLOCKS],
    "engine/day/warm_up.py": ["tests/engine/day/test_warming.py"],
    "engine/promotion/": [
        "tests/engine/promotion/test_next_day_file.py",
        "tests/engine/promotion/test_promotion_log.py",
    ],
    "engine/research/demotion_rules.py": ["tests/engine/research/test_demotion_rules.py"],
    "engine/research/realised_days.py": ["tests/engine/research/test_realised_days.py"],
    "tui/run/settings.py": [EVALUATE],
    "tui/commands/research/trial_checks.py": [PROMOTE],
    "tui/commands/research/promotion_job.py": [PROMOTE],
    "tui/commands/research/evaluation_job.py": [EVALUATE],
    "store/schema.py": ["tests/store/test_whole.py"],
    "store/database_integrity.py": ["tests/store/test_whole.py"],
    "store/sqlite_journal.py": ["tests/store/test_sqlite.py"],
}
"""Which tests go first, by how the path of a broken file begins."""


def place_of(old):
    """Return the pattern of a piece of code, however it is laid out.

    Spaces, line ends and a comma before a closing bracket are the formatter's business.
    """
    signs = re.findall(r"\w+|[^\w\s]", old)
    gap = [r"\s*,?\s*" if sign in ")]}" else r"\s*" for sign in signs]
    gap[0] = ""
    return re.compile(
        "".join(space + re.escape(sign) for space, sign in zip(gap, signs, strict=True))
    )


def broken(mutant):
    """Return the broken text of a mutant's file.

    Raises `ValueError` where the old one does not stand there exactly once, or at another indent.
    """
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    found = list(place_of(mutant.old).finditer(text))
    if len(found) != 1:
        raise ValueError(f"{mutant.name}: {len(found)} places in {mutant.file} read {mutant.old!r}")
    begins = found[0].start()
    margin = text[text.rfind("\n", 0, begins) + 1 : begins]
    lead = len(mutant.old) - len(mutant.old.lstrip(" "))
    if not lead:
        return text[:begins] + mutant.new + text[found[0].end() :]
    # The lines that come instead lie as the table has them: in a block that has moved inwards they
    # would belong to another one, and break something else.
    if not margin.strip() and len(margin) != lead:
        raise ValueError(f"{mutant.name}: {lead} spaces before it, {len(margin)} in {mutant.file}")
    return text[: begins - lead] + mutant.new + text[found[0].end() :]


def grow(mutant, folder):
    """Copy the tree into a folder and break it there; what is written must be Python."""
    text = broken(mutant)
    compile(text, mutant.file, "exec")  # what can't even be read would be noticed by anything
    for part in PARTS:
        subprocess.run(["cp", "-rp", str(ROOT / part), str(folder)], check=True)
    (folder / mutant.file).write_text(text, encoding="utf-8")


def proofs(mutant):
    """Return (name, arguments) of what is run against a mutant, the fastest first."""
    pytest = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not soak"]
    near = [begins for begins in NEAREST if mutant is CONTROL or mutant.file.startswith(begins)]
    nearest = [test for begins in near for test in NEAREST[begins]]
    if nearest:
        yield "nearest tests", [*pytest, *nearest]
    yield "tests of the order path", [*pytest, *ORDER_PATH]
    yield "simulated days", ["-m", "tests.simulation", "0", str(DAYS), "stop"]
    yield "crash points", [*pytest, "tests/simulation/test_crash_points.py"]


def hunt(mutant):
    """Return what notices a mutant and what it says, empty where it survives.

    Raise `RuntimeError` for what cannot run.
    """
    native = ROOT / "build" / "native"
    quick = not mutant.file.startswith("compiled/") and native.is_dir()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        grow(mutant, folder)
        path = os.pathsep.join([*([str(native)] if quick else []), str(folder)])
        # which build the gate has under test is not asked of a copy
        kept = {name: value for name, value in os.environ.items() if name != "PATANG_EXPECT_NATIVE"}
        for name, arguments in proofs(mutant):
            done = subprocess.run(
                [sys.executable, "-P", *arguments],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
                env={**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            )
            said = _said(done.stdout + done.stderr)
            if done.returncode == 1:
                return name, said
            if done.returncode:
                raise RuntimeError(
                    f"{mutant.name}: {name} ended with code {done.returncode}: {said}"
                )
    return "", ""


def _said(output):
    lines = [
        line.strip() for line in output.splitlines() if "seed " in line or line.startswith("FAILED")
    ]
    return (lines or output.splitlines() or ["nothing"])[-1].strip()[:160]


def main(wanted):
    """Hunt every mutant, or those whose names contain `wanted`; return how many survived.

    The table is held against the code first, and the tree as it is goes before: proofs that fail by
    themselves would notice anything.
    """
    for mutant in MUTANTS:
        broken(mutant)
    noticed, said = hunt(CONTROL)
    if noticed:
        print(f"{noticed} fail on the code as it is: {said}")
        return 1
    hunted = [mutant for mutant in MUTANTS if wanted in mutant.name]
    with ThreadPoolExecutor(os.cpu_count()) as hunters:
        found = list(hunters.map(told, hunted))
    survived, undecided = found.count("SURVIVED"), found.count("UNDECIDED")
    print(f"{len(hunted)} mutants, {survived} survived, {undecided} undecided")
    return survived + undecided if hunted else 1


def told(mutant):
    """Hunt a mutant and say what came of it; return what noticed it, SURVIVED, or UNDECIDED."""
    began = time.monotonic()
    try:
        noticed, said = hunt(mutant)
    except subprocess.TimeoutExpired:
        noticed, said = "UNDECIDED", f"a proof has not ended within {PATIENCE_S} s"
    noticed = noticed or "SURVIVED"
    print(
        f"{noticed:24} {mutant.name} ({time.monotonic() - began:.0f} s)\n{'':24} {said}", flush=True
    )
    return noticed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1] if len(sys.argv) > 1 else "")))
