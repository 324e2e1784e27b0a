"""The gate: what the best of many trials has to show before it is believed."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from engine.numbers import counted
from engine.research.evidence.deflated_sharpe import DeflatedSharpe
from engine.research.evidence.overfitting import OverfittingEstimate
from engine.research.evidence.score_plateau import ScorePlateau
from engine.research.evidence.superior_ability import SuperiorAbility

GateVerdict = Literal["pass", "fail", "not run"]
MeasuredText = tuple[float | None, str]
"""A measure, None where it was not run, and it in words, or why there is none."""


class TrialEvidence(NamedTuple):
    """Everything known about the best of the trials; None is a part that was not looked at."""

    deflated: DeflatedSharpe | None = None
    overfitting: OverfittingEstimate | None = None
    plateau: ScorePlateau | None = None
    superior: SuperiorAbility | None = None


class EvidenceRule(NamedTuple):
    """One rule: `measure` must be at least the threshold, or at most where `most` says so.

    What is `needed` has to be run as well.
    """

    id: str
    label: str
    measures: str
    threshold: float
    why: str
    mend: str
    measure: Callable[[TrialEvidence], MeasuredText]
    most: bool = False
    needed: bool = False


class EvidenceFinding(NamedTuple):
    """The finding of one rule, in one line; `value` is None where it was not run."""

    rule: str
    label: str
    verdict: GateVerdict
    value: float | None
    threshold: float
    needed: bool
    text: str
    why: str
    mend: str


def _deflated_value(evidence: TrialEvidence) -> MeasuredText:
    found = evidence.deflated
    if found is None or found.effective_deflated is None or found.deflated is None:
        return None, "the best has no Sharpe ratio to deflate"
    return found.effective_deflated, (
        f"{found.effective_deflated:.3f} for {found.effective:.1f} effective trials, "
        f"{found.deflated:.3f} for all {found.trials}"
    )


def _overfitting_value(evidence: TrialEvidence) -> MeasuredText:
    found = evidence.overfitting
    if found is None:
        return None, "it takes two trials, and two days a block"
    return found.probability, (
        f"{100 * found.probability:.1f} % of {len(found.logits):,} partitions, "
        f"{100 * found.loss:.1f} % lose out of sample"
    )


def _edge_count(evidence: TrialEvidence) -> MeasuredText:
    found = evidence.plateau
    if found is None:
        return None, "there is no grid of parameters"
    return float(len(found.edges)), ", ".join(found.edges) or "none"


def _plateau_share(evidence: TrialEvidence) -> MeasuredText:
    found = evidence.plateau
    if found is None:
        return None, "there is no grid of parameters"
    if found.share is None:
        return None, "the best has no neighbours, or a score that is not above 0"
    near = counted(len(found.neighbours), "neighbour")
    return (
        found.share,
        f"{found.share:.0f} % by {near}" if found.share > 0 else f"below 0 by {near}",
    )


def _superior_value(evidence: TrialEvidence) -> MeasuredText:
    found = evidence.superior
    if found is None or found.spa is None:
        return None, found.text if found else "it was not asked for"
    return found.spa, f"p {found.spa:.3f}, StepM finds {len(found.superior)} superior"


RULES: Final = (
    EvidenceRule(
        "deflated_sharpe",
        "Deflated Sharpe",
        measures="probability that the true Sharpe ratio is above the best to expect without merit",
        threshold=0.95,
        why="The best of many trials is good by chance alone; the more trials, the better.",
        mend="Fewer trials, chosen for a reason, or more days.",
        measure=_deflated_value,
        needed=True,
    ),
    EvidenceRule(
        "overfitting",
        "Probability of overfitting",
        measures="share of halves of the days whose best trial is in the lower half on the others",
        threshold=0.2,
        why="A choice that does not carry over to other days chose the noise of its own.",
        mend="Fewer parameters, coarser grids, or more days.",
        measure=_overfitting_value,
        most=True,
        needed=True,
    ),
    EvidenceRule(
        "edge",
        "Best at the edge of the grid",
        measures="numeric parameters of more than two values whose first or last one is the best",
        threshold=0,
        why="Where the score still rises at the edge, the best was not among the trials.",
        mend="Widen the grid on that side, and run it again.",
        measure=_edge_count,
        most=True,
    ),
    EvidenceRule(
        "plateau",
        "Plateau",
        measures="median score of the best's neighbours in the grid, % of its own",
        threshold=70,
        why="Markets move by more than one step of a grid; a peak that is one step wide is luck.",
        mend="Choose a trial whose neighbours are as good, or a coarser grid.",
        measure=_plateau_share,
    ),
    EvidenceRule(
        "superior_ability",
        "Superior predictive ability",
        measures="p of Hansen's test that no trial earns",
        threshold=0.05,
        why="Resampled days without merit show how high the best of these trials rises anyway.",
        mend="More days, or trials with an edge that lasts.",
        measure=_superior_value,
        most=True,
    ),
)
"""What the best has to show; where a rule needs a grid or arch and there is none it is not run."""

MOST: Final = {each.id: each.most for each in RULES}


def wanted_text(finding: EvidenceFinding) -> str:
    """Return the limit of a finding's rule with its direction, as ≥ 0.95."""
    return f"{'≤' if MOST[finding.rule] else '≥'} {finding.threshold:g}"


DEFAULTS: Final[Mapping[str, float]] = MappingProxyType({each.id: each.threshold for each in RULES})


def judge_evidence(
    evidence: TrialEvidence, thresholds: Mapping[str, float] | None = None
) -> list[EvidenceFinding]:
    """Return each rule's finding, in the order of `RULES`.

    `thresholds` replace those of the rules, by id; an id that no rule has is a ValueError.
    """
    limits = {**DEFAULTS, **(thresholds or {})}
    if unknown := limits.keys() - DEFAULTS.keys():
        raise ValueError(f"no rule of the gate is called {', '.join(sorted(unknown))}")
    findings = []
    for rule in RULES:
        value, text = rule.measure(evidence)
        limit = limits[rule.id]
        verdict: GateVerdict = "not run"
        if value is not None:
            verdict = "pass" if (value <= limit if rule.most else value >= limit) else "fail"
        findings.append(
            EvidenceFinding(
                rule.id,
                rule.label,
                verdict,
                value=value,
                threshold=limit,
                needed=rule.needed,
                text=text,
                why=rule.why,
                mend=rule.mend,
            )
        )
    return findings


def passes_gate(findings: Sequence[EvidenceFinding]) -> bool:
    """Return whether nothing failed, and everything needed was run."""
    return all(
        each.verdict == "pass" or (each.verdict == "not run" and not each.needed)
        for each in findings
    )
