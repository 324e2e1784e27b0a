"""Say what holdout and skfolio make of trials: JSON in, JSON out.

Run by the Python of .venv-oracles.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import holdout  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from skfolio.measures import (  # noqa: E402
    deflated_sharpe_ratio,
    expected_max_sharpe_ratio,
    probabilistic_sharpe_ratio,
)
from skfolio.model_selection import WalkForward  # noqa: E402

given = json.load(sys.stdin)
returns = np.array(given["returns"])
days, trials = returns.shape
sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
best = int(sharpes.argmax())
deflated = holdout.deflate_trials(returns)
estimate = deflated.estimate
partitions = holdout.probability_of_backtest_overfitting(returns, n_blocks=given["blocks"])
positions = np.arange(days)
purge, embargo, folds = given["purge"], given["embargo"], given["folds"]
purged = holdout.purged_kfold(
    # its embargo counts from the last day that is judged, not from the last that is held
    folds,
    start=positions,
    end=positions + purge,
    embargo=purge + embargo,
)
dates = pd.DatetimeIndex(given["dates"])
frame = pd.DataFrame(np.zeros((len(dates), 1)), dates)
checked = holdout.reality_check(
    returns / returns.std(axis=0), n_bootstrap=4000, block_length=given["block"], seed=1
)
stepped = holdout.romano_wolf(returns, n_bootstrap=2000, block_length=given["block"], seed=1)


def pairs(splits):
    """Return train and test of each split as lists."""
    return [[np.asarray(train).tolist(), np.asarray(test).tolist()] for train, test in splits]


json.dump(
    {
        "holdout": {
            "best": deflated.selected,
            "sharpe": estimate.value,
            "skew": estimate.skewness,
            "kurtosis": estimate.kurtosis,
            "probabilistic": deflated.probabilistic,
            "expected": deflated.expected_maximum,
            "deflated": deflated.deflated,
            "days_above_zero": holdout.minimum_track_record_length(
                estimate.value, skewness=estimate.skewness, kurtosis=estimate.kurtosis
            ),
            "pbo": partitions.pbo,
            "logits": partitions.logits.tolist(),
            "winners": partitions.selected.tolist(),
            "in_sample": partitions.in_sample.tolist(),
            "out_of_sample": partitions.out_of_sample.tolist(),
            "loss": partitions.probability_of_loss,
            "slope": partitions.degradation[0],
            "folds": pairs((split.train, split.test) for split in purged),
            "reality_check": checked.pvalue,
            "superior": sorted(int(at) for at in stepped.rejected),
            "participation": holdout.effective_number_of_trials(
                holdout.trial_correlation(returns), method="participation"
            ),
        },
        "skfolio": {
            "probabilistic": probabilistic_sharpe_ratio(returns[:, best]),
            "expected": expected_max_sharpe_ratio(trials, float(sharpes.std(ddof=1))),
            "deflated": deflated_sharpe_ratio(returns[:, best], sharpes),
            "rolling": pairs(
                WalkForward(
                    test_size=1, train_size=6, freq="MS", purged_size=purge, reduce_test=True
                ).split(frame)
            ),
            "anchored": pairs(
                WalkForward(
                    test_size=1, train_size=6, freq="MS", expand_train=True, reduce_test=True
                ).split(frame)
            ),
        },
    },
    sys.stdout,
    default=float,
)
