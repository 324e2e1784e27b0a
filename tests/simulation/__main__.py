"""`make simulate`: tell one day (SEED), or run many (DAYS from FIRST on) and name the seeds that break a promise.

A third word `lies` means the days of a network that lies; `stop` ends at the first that breaks.
"""

import sys
import time

from tests.simulation import day, liar
from tests.simulation.day import Broken, Figures, simulate
from tests.simulation.liar import survive
from tests.simulation.story import tell


def main(first, days, *, lies, stop):
    """Run the days and return how many broke; `stop` at the first that does."""
    live = survive if lies else simulate
    if days == 1:
        lines, held = tell(first, liar if lies else day)
        print(*lines, sep="\n")
        return not held
    began, broken, lived = time.process_time(), 0, []
    for seed in range(first, first + days):
        try:
            lived.append(live(seed))
        except Broken as error:
            broken += 1
            print(error, flush=True)
            if stop:
                return broken
    spent = time.process_time() - began
    print(f"{days} days from seed {first}: {broken} broken, {1000 * spent / days:.0f} ms of processor a day")
    for name in Figures._fields[:-1]:
        column = [float(getattr(each, name)) for each in lived]
        if column:
            print(f"{name}: {sum(column):.0f} in all, {max(column):.2f} at most")
    return broken


if __name__ == "__main__":
    first, days, *rest = [*sys.argv[1:], "1"][: max(2, len(sys.argv) - 1)]
    sys.exit(bool(main(int(first), int(days), lies="lies" in rest, stop="stop" in rest)))
