"""The choice for the next day out of scored trials, and configurations over their symbols."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from engine.config.scoring_settings import ScoringSettings
from engine.errors import ConfigError
from engine.research.trial_table import require_columns

DEFAULT_SETTINGS: Final = ScoringSettings()
CONFIGURATION: Final = ("strategy", "timeframe", "parameters")

REASONED: Final = ("symbol", *CONFIGURATION, "rejected", "score", "place", "selected")


def aggregate_by_config(scored: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each configuration of a strategy at a timeframe, the best first.

    Its rejected trials count: what lost on nine symbols is not judged by the tenth. Trials of one
    symbol count by their mean. The median over the symbols is the score, since one lucky symbol
    moves a mean; ties by the worst symbol, then by the first trial id.
    """
    require_columns(scored, ("raw_annual_return", "score", "rejected"), "score_rows")
    # Means of floats depend on the order of what is added: in one order, equal tables are equal.
    table = scored.sort_values("trial", ignore_index=True)
    table["is_rejected"] = table["rejected"] != ""
    by = list(CONFIGURATION)
    # A symbol that was tried in more windows would else count more than the others.
    symbols = table.groupby([*by, "symbol"])[["score", "raw_annual_return"]].mean().reset_index()
    symbols["is_positive"] = symbols["raw_annual_return"] > 0.0
    found = symbols.groupby(by).agg(
        symbols=("symbol", "size"),
        score_mean=("score", "mean"),
        score_median=("score", "median"),
        score_worst=("score", "min"),
        positive_share=("is_positive", "mean"),
    )
    trials = table.groupby(by).agg(
        trial=("trial", "min"), trials=("trial", "size"), rejected_trials=("is_rejected", "sum")
    )
    made = found.join(trials).reset_index().assign(score=lambda each: each["score_median"])
    made = made.sort_values(
        ["score", "score_worst", "trial"], ascending=[False, False, True], ignore_index=True
    )
    return made.assign(place=np.arange(1, len(made) + 1))


def select_topk_per_symbol_tf(
    scored: pd.DataFrame, k: int = DEFAULT_SETTINGS.top_k
) -> pd.DataFrame:
    """Return the trials with their `place` in symbol and timeframe, and whether it is `selected`.

    Places begin at 1; a rejected trial has 0. Raise `ConfigError` if `k` is below 1.
    """
    _require_count("k", k)
    require_columns(scored, ("score", "rejected"), "score_rows")
    table = ranked(scored)
    stays = table["rejected"] == ""
    place = table[stays].groupby(["symbol", "timeframe"]).cumcount() + 1
    table["place"] = place.reindex(table.index, fill_value=0)
    table["selected"] = table["place"].between(1, k)
    return table


def decide_next_day(
    selected: pd.DataFrame,
    configurations: pd.DataFrame | None = None,
    *,
    count: int = DEFAULT_SETTINGS.next_day,
    per_symbol: int = DEFAULT_SETTINGS.per_symbol,
    min_positive_share: float = DEFAULT_SETTINGS.min_positive_share,
) -> pd.DataFrame:
    """Return the trials with whether one is `chosen`, its `turn`, and the `reason` either way.

    The best `count` of those selected, by score, at most `per_symbol` of a symbol. Where
    `configurations` are given (`aggregate_by_config`), one that earns on less than
    `min_positive_share` of its symbols sends none: its best symbol may be luck. Turns begin at 1;
    0 is none. Raise `ConfigError` for a number below 1.
    """
    _require_count("count", count)
    _require_count("per_symbol", per_symbol)
    require_columns(selected, ("place", "selected"), "select_topk_per_symbol_tf")
    table = ranked(selected)
    shares = _positive_shares(configurations)
    taken: Counter[str] = Counter()
    turns, reasons = [], []
    for row in table[list(REASONED)].to_dict("records"):
        reason = _standing_objection(row)
        if not reason and shares.get(_configuration_of(row), 1.0) < min_positive_share:
            share = shares[_configuration_of(row)]
            reason = f"its configuration earns on {share:.0%} of its symbols alone"
        # The symbol before the day: a full day would hide that its symbol was full anyway.
        if not reason and taken[row["symbol"]] >= per_symbol:
            reason = f"{row['symbol']} has its {per_symbol} already"
        if not reason and taken.total() >= count:
            reason = f"the day has its {count} already"
        if not reason:
            taken[row["symbol"]] += 1
        turns.append(0 if reason else taken.total())
        reasons.append(
            reason
            or f"chosen as {taken.total()} of at most {count}: score {row['score']:.4g}, "
            f"{_standing_words(row)}"
        )
    return table.assign(chosen=[turn > 0 for turn in turns], turn=turns, reason=reasons)


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Return scored trials, the best first, ties by trial id."""
    return table.sort_values(["score", "trial"], ascending=[False, True], ignore_index=True)


def _require_count(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name} {value}: expected at least 1")


def _positive_shares(configurations: pd.DataFrame | None) -> dict[tuple[object, ...], float]:
    """Return the share of its symbols that each configuration earns on."""
    if configurations is None:
        return {}
    require_columns(configurations, (*CONFIGURATION, "positive_share"), "aggregate_by_config")
    wanted = configurations[[*CONFIGURATION, "positive_share"]]
    return {_configuration_of(row): row["positive_share"] for row in wanted.to_dict("records")}


def _configuration_of(row: Mapping[Hashable, Any]) -> tuple[object, ...]:
    return tuple(row[name] for name in CONFIGURATION)


def _standing_objection(row: Mapping[Hashable, Any]) -> str:
    """Say why a trial is no candidate, empty if it is one."""
    if row["rejected"]:
        return f"rejected: {row['rejected']}"
    return "" if row["selected"] else f"not selected: {_standing_words(row)}"


def _standing_words(row: Mapping[Hashable, Any]) -> str:
    return f"place {row['place']} of {row['symbol']} at {row['timeframe']} s"
