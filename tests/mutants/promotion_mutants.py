"""Ways to break promotions and evaluations: each takes one promise back, as those of the engine."""

from tests.mutants.engine_mutants import Mutant

LOG = "engine/promotion/promotion_log.py"
CHECKS = "tui/commands/research/trial_checks.py"
EVALUATION = "tui/commands/research/evaluation_job.py"

PROMOTION = (
    Mutant(
        "what exceeds the budget is followed",
        "engine/promotion/followed_config.py",
        "if found.spent > settings.budget:",
        "if False:",
    ),
    Mutant(
        "a file that others can write is followed",
        "engine/promotion/next_day_file.py",
        "if others_rule(facts):",
        "if facts.st_uid not in {os.geteuid(), 0}:",
    ),
    Mutant(
        "a promoted strategy whose source changed trades on",
        "tui/run/settings.py",
        "if run_identity.source_hash(strategy) != origin.code:",
        "if False:",
    ),
    Mutant(
        "a rollback goes back to the record before, whatever was in force",
        LOG,
        "return self.record(self.state_after(number)).before",
        "return number - 1",
    ),
    Mutant("a record is written over", LOG, "if file.exists():", "if False:"),
    Mutant(
        "a promotion that was not written is on record",
        LOG,
        "if self._number_in_force() != record.number:",
        "if False:",
    ),
    Mutant(
        "a trial that decides otherwise when it is run again is promoted",
        CHECKS,
        "if digest != plan.chosen.row.result.digest:",
        "if False:",
    ),
    Mutant(
        "the capital of one position is all that a strategy spends",
        CHECKS,
        'int(table.get("capital") or 0) * len(table["symbols"])',
        'int(table.get("capital") or 0)',
    ),
    Mutant(
        "a reason forces what no reason may",
        "tui/commands/research/promotion_job.py",
        "not (self.force and each.forceable)",
        "not self.force",
    ),
    Mutant(
        "a session with other parameters is held against the promise",
        EVALUATION,
        "return same and ran.get",
        "return ran.get",
    ),
    Mutant(
        "a night's profit is that of the next day once more",
        EVALUATION,
        "total - net",
        "total",
    ),
    Mutant(
        "days without a decision count as days like their backtest",
        EVALUATION,
        "for row in compared.values() if row.decisions",
        "for row in compared.values()",
    ),
    Mutant(
        "a strategy is demoted before there are enough sessions",
        "engine/research/demotion_rules.py",
        "if facts.figures.sessions < settings.min_sessions:",
        "if False:",
    ),
    Mutant(
        "a promise is of one rupee",
        "engine/research/realised_days.py",
        "np.diff(grown) * cash * 100.0",
        "np.diff(grown) * 100.0",
    ),
)
