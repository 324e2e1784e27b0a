"""`make simulate`: tell one day (SEED), or run DAYS from FIRST on and name the bad seeds.

A third word `lies` means the days of a network that lies, `disks` those of bad disks, `owner` those
with the owner beside the desk, `moods` those of a moody broker, `acts` those on which strategies
are stopped, started and changed; with `hands` a person also acts on the desk's positions. `stop`
ends at the first that breaks.
"""

import sys
import time

from tests.simulation import bad_disks, day, hands, instructed, liar, moods, owner
from tests.simulation.day import Broken, Figures, lived
from tests.simulation.story import tell

KINDS = {"lies": liar, "disks": bad_disks, "owner": owner, "moods": moods, "acts": instructed}


class Handled:
    """Days of a kind with somebody who acts on the positions."""

    def __init__(self, kind):
        self._kind, self.live = kind, kind.live

    def build(self, seed):
        """Return the day of a seed, and the second its calm ends."""
        return hands.build(seed, self._kind)


def main(first, days, kind, *, stop):
    """Run days of a kind and return how many broke; `stop` at the first that does."""
    if days == 1:
        lines, held = tell(first, kind)
        print(*lines, sep="\n")
        return not held
    began, broken, figures = time.process_time(), 0, []
    for seed in range(first, first + days):
        try:
            figures.append(lived(*kind.build(seed), kind.live))
        except Broken as error:
            broken += 1
            print(error, flush=True)
            if stop:
                return broken
    spent = time.process_time() - began
    print(
        f"{days} days from seed {first}: {broken} broken, {1000 * spent / days:.0f} ms of "
        "processor a day"
    )
    for name in Figures._fields[:-1]:
        column = [float(getattr(each, name)) for each in figures]
        if column:
            print(f"{name}: {sum(column):.0f} in all, {max(column):.2f} at most")
    return broken


if __name__ == "__main__":
    first, days, *rest = [*sys.argv[1:], "1"][: max(2, len(sys.argv) - 1)]
    kind = next((KINDS[word] for word in rest if word in KINDS), day)
    kind = Handled(kind) if "hands" in rest else kind
    sys.exit(bool(main(int(first), int(days), kind, stop="stop" in rest)))
