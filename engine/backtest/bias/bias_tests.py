"""The tests of the bias suite: their questions, reasons and remedies."""

from typing import Final, NamedTuple


class BiasTest(NamedTuple):
    """One test: `what` it does in a few words, `why` it matters, and the `mend`."""

    id: str
    label: str
    what: str
    why: str
    mend: str


READ_LESS: Final = (
    "Decide by what on_bar, on_tick and the Context have told, and by nothing that was loaded."
)
TESTS: Final = (
    BiasTest(
        "state",
        "State over runs",
        "The same run twice, in one process, with strategies made anew.",
        "What a run leaves behind is the future of the next one, and a run nobody can repeat "
        "proves nothing.",
        "Keep state in self, made in __init__; no class or module state, no clock, no dice "
        "without a seed.",
    ),
    BiasTest(
        "truncation-days",
        "Future cut away, by days",
        "The run up to the end of a session, with all later bars cut away.",
        "A decision that needs tomorrow's bars cannot be made today.",
        READ_LESS,
    ),
    BiasTest(
        "truncation-moments",
        "Future cut away, at moments",
        "The run up to a moment, half of them right after a decision, with all later bars cut "
        "away.",
        "A decision that needs the next bar is made at its close, and can only be made up.",
        READ_LESS,
    ),
    BiasTest(
        "poison",
        "Future poisoned",
        "The run up to a moment, with garbage after it: another symbol's bars, its own in "
        "reverse, noise.",
        "What is loaded around the Context knows how the day ends.",
        READ_LESS,
    ),
    BiasTest(
        "closing",
        "The day's close",
        "The run up to the last bars of a day, or its closing auction, with these cut away.",
        "The close is known when nobody can trade at it any more.",
        "Decide on the bars before the close, or trade at the next open.",
    ),
    BiasTest(
        "actions",
        "Corporate actions",
        "The run up to a split, with the prices as they were then.",
        "Prices adjusted by a later split know of it: a limit in rupees, or a number of shares, "
        "then picks what is about to split.",
        "Compare prices with prices, not with rupees; size by capital.",
    ),
    BiasTest(
        "same-bar",
        "Fills after their cause",
        "Every fill against the bar that caused its order.",
        "The price of a bar that has closed is no longer to be had.",
        "Tell the maintainers: the kernel fills no earlier than the next bar.",
    ),
    BiasTest(
        "warm-up",
        "Warm-up",
        "The same sessions with 1, 2 and 4 times the warm-up.",
        "An indicator that has not settled yet says something of the day the run began, not of "
        "the market.",
        "A longer --warm-up, or indicators that remember less.",
    ),
    BiasTest(
        "order",
        "Order of symbols",
        "The run with the symbols in reverse.",
        "Who comes first in a list is no reason to trade it.",
        "Rank what is wanted, and ask for the best; or less capital, so that limits leave room "
        "for all.",
    ),
    BiasTest(
        "vintage",
        "Data vintage",
        "The run on the two newest golden versions.",
        "What changes with a correction of the data was decided by its faults.",
        "Look at the days that differ: patang bars diff.",
    ),
    BiasTest(
        "survivorship",
        "Survivorship",
        "The symbols against those an index had on each day.",
        "Symbols that are chosen today have survived until today.",
        "Take symbols that were listed on the first day, with those that have gone since.",
    ),
    BiasTest(
        "lint-clock",
        "Source: clock",
        "datetime.now, date.today, time.*.",
        "The clock of this machine is not that of the market.",
        "ctx.now, ctx.time_of_day, bar.start and bar.end are the market's.",
    ),
    BiasTest(
        "lint-random",
        "Source: randomness",
        "random, numpy.random, secrets without a seed.",
        "Another throw is another result, and the best of many is chosen.",
        "random.Random(SEED), kept in self.",
    ),
    BiasTest(
        "lint-network",
        "Source: network",
        "Imports of clients.",
        "What a server says today it did not say then.",
        "Fetch before the run, with dates, and hand it in as a parameter.",
    ),
    BiasTest(
        "lint-threads",
        "Source: threads",
        "Imports of threads and processes.",
        "Who comes first is another each time.",
        "Do one thing after the other: a strategy is called for every bar.",
    ),
    BiasTest(
        "lint-files",
        "Source: files",
        "open, pandas.read_*, databases, the environment.",
        "Nobody knows when what a file says was known.",
        "Take parameters, or data whose dates are compared with ctx.now.",
    ),
    BiasTest(
        "lint-state",
        "Source: shared state",
        "Module and class state that is changed, global, mutable defaults.",
        "It outlives the run, and two strategies of one class share it.",
        "Make it in __init__ and keep it in self.",
    ),
    BiasTest(
        "lint-last-row",
        "Source: last row",
        "frame[-1], iloc[-1], shift(-1), bfill, centred windows.",
        "The last row of a loaded frame is the end of the history, not now.",
        "Keep what on_bar has told; of a frame take rows before ctx.now.",
    ),
    BiasTest(
        "lint-order",
        "Source: hashes and sets",
        "hash(), id(), loops over sets.",
        "They differ from process to process.",
        "sorted(), or a dict, which keeps the order of its keys.",
    ),
)
