"""`make simulate`: tell one day (SEED), or run many (DAYS from FIRST on) and name the seeds that break a promise."""

import sys
import time

from tests.simulation.day import Broken, simulate
from tests.simulation.story import tell


def main(first, days):
    """Run the days and return how many broke."""
    if days == 1:
        lines, held = tell(first)
        print(*lines, sep="\n")
        return not held
    began, broken = time.process_time(), 0
    for seed in range(first, first + days):
        try:
            simulate(seed)
        except Broken as error:
            broken += 1
            print(error, flush=True)
    spent = time.process_time() - began
    print(f"{days} days from seed {first}: {broken} broken, {1000 * spent / days:.0f} ms of processor a day")
    return broken


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)))
