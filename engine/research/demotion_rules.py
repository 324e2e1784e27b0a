"""The rules by which a promoted strategy is demoted: each with its figure, threshold and reason."""

from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

from engine.backtest.results.figure_text import money
from engine.config.promotion_settings import PromotionSettings
from engine.numbers import counted
from engine.promotion.next_day_file import TrialPromise
from engine.research.evidence.monte_carlo import ChanceSpread
from engine.research.realised_days import RealisedFigures

Verdict = Literal["pass", "fail", "not yet"]


class RuleOutcome(NamedTuple):
    """The outcome of a rule; figures are None where there is none yet."""

    rule: str
    verdict: Verdict
    value: float | None
    threshold: float | None
    text: str


class EvaluatedFacts(NamedTuple):
    """Facts about a strategy that the rules are asked about; amounts in paise.

    `luck` is None where the record of the promotion has no daily returns. `promised_drawdown` is
    at most 0. `parities` are percent, one a compared session. `fault` is why the strategy
    cannot be made any more, empty where it can.
    """

    figures: RealisedFigures
    promise: TrialPromise
    luck: ChanceSpread | None
    promised_drawdown: float
    parities: Sequence[float]
    since: date
    today: date
    fault: str = ""


def demotion_rules(facts: EvaluatedFacts, settings: PromotionSettings) -> list[RuleOutcome]:
    """Return the outcome of every rule."""
    return [
        _percentile_rule(facts, settings),
        _drawdown_rule(facts, settings),
        _parity_rule(facts, settings),
        _silence_rule(facts, settings),
        _age_rule(facts, settings),
        _source_rule(facts),
    ]


def broken_rules(outcomes: Sequence[RuleOutcome]) -> list[RuleOutcome]:
    """Return the rules that demote."""
    return [each for each in outcomes if each.verdict == "fail"]


def _percentile_rule(facts: EvaluatedFacts, settings: PromotionSettings) -> RuleOutcome:
    rule, least, luck = "percentile", settings.min_percentile, facts.luck
    if facts.figures.sessions < settings.min_sessions:
        return _too_early(rule, facts.figures.sessions, settings, least)
    if luck is None:
        return _without_promise(rule, least)
    place = 100.0 * luck.below
    return RuleOutcome(
        rule,
        "fail" if place < least else "pass",
        place,
        least,
        f"{money(facts.figures.net, signed=True)} is above {place:.1f} % of what luck makes of the "
        f"promise, at least {least:g} %",
    )


def _drawdown_rule(facts: EvaluatedFacts, settings: PromotionSettings) -> RuleOutcome:
    rule, promised = "drawdown", facts.promised_drawdown
    if not facts.figures.sessions:
        return RuleOutcome(rule, "not yet", None, None, "no session yet")
    if facts.luck is None:
        return _without_promise(rule, None)
    if not promised:
        return RuleOutcome(rule, "not yet", None, None, "the trial never lost: nothing to compare")
    # At once, whatever the sessions: luck takes no strategy deeper than its worst time of many.
    deepest = settings.drawdown_factor * promised
    return RuleOutcome(
        rule,
        "fail" if facts.figures.drawdown < deepest else "pass",
        facts.figures.drawdown / 100.0,
        round(deepest / 100.0, 2),
        f"{money(facts.figures.drawdown)}, at most {settings.drawdown_factor:g} × the promised "
        f"{money(promised)}",
    )


def _parity_rule(facts: EvaluatedFacts, settings: PromotionSettings) -> RuleOutcome:
    rule, least = "parity", settings.min_parity
    compared = len(facts.parities)
    if compared < settings.min_sessions:
        return RuleOutcome(
            rule,
            "not yet",
            None,
            least,
            f"{counted(compared, 'session')} with decisions compared, of {settings.min_sessions} "
            "at least",
        )
    mean = sum(facts.parities) / compared
    return RuleOutcome(
        rule,
        "fail" if mean < least else "pass",
        mean,
        least,
        f"{mean:.1f} % in the mean of {counted(compared, 'session')}, at least {least:g} %",
    )


def _silence_rule(facts: EvaluatedFacts, settings: PromotionSettings) -> RuleOutcome:
    rule, most = "silence", settings.silent_after_trades
    expected = facts.promise.trades_a_day * facts.figures.sessions
    told = f"{counted(facts.figures.entered, 'trade')}, promised were {expected:.1f}"
    if facts.figures.entered:
        return RuleOutcome(rule, "pass", expected, most, told)
    verdict: Verdict = "fail" if expected >= most else "not yet"
    return RuleOutcome(rule, verdict, expected, most, f"{told}, of {most:g} one is to be")


def _age_rule(facts: EvaluatedFacts, settings: PromotionSettings) -> RuleOutcome:
    weeks, most = (facts.today - facts.since).days / 7.0, settings.max_weeks
    return RuleOutcome(
        "age",
        "fail" if weeks > most else "pass",
        weeks,
        float(most),
        f"{weeks:.1f} weeks since {facts.since}, at most {most}",
    )


def _source_rule(facts: EvaluatedFacts) -> RuleOutcome:
    return RuleOutcome(
        "source",
        "fail" if facts.fault else "pass",
        None,
        None,
        facts.fault or "it can be made as it was tried",
    )


def _too_early(
    rule: str, sessions: int, settings: PromotionSettings, threshold: float | None
) -> RuleOutcome:
    text = f"too early: {counted(sessions, 'session')}, of {settings.min_sessions} at least"
    return RuleOutcome(rule, "not yet", None, threshold, text)


def _without_promise(rule: str, threshold: float | None) -> RuleOutcome:
    text = "the record of its promotion has no daily returns or no cash: promote it again"
    return RuleOutcome(rule, "not yet", None, threshold, text)
