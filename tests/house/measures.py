"""Measures of the house: what can be counted of its names, rooms and words.

As a script it prints them: `python -m tests.house.measures`.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("compiled", "engine", "brokers", "store", "strategies", "tui")
ONE_WORD_GOAL = 30.0
WIDE = 6
"""Positional arguments that nobody can tell apart at the call."""


def modules(*folders):
    """Return the path of every module below these folders and its text."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def words(name):
    """Return the words of a name in snake or camel case."""
    return re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", name.strip("_"))


def share(part, whole):
    """Return how many of a whole are in a part, in percent."""
    return 100.0 * len(part) / len(whole)


class House:
    """Everything that is counted: one pass over the sources."""

    def __init__(self):
        self.classes, self.private, self.wide, self.openings = [], [], [], []
        self.rooms, self.lines, self.code, self.comments = Counter(), 0, 0, 0
        self.assertions, self.skips = 0, 0
        for path, text in modules(*SOURCES):
            self.rooms[str(path.parent)] += 1
            self.lines += text.count("\n")
            self.skips += text.count("fmt: skip")
            self._count_comments(text)
            self._read(path, ast.parse(text))

    def _count_comments(self, text):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            marks = ("# noqa", "# type:", "# pragma", "#!")
            self.comments += token.type == tokenize.COMMENT and not token.string.startswith(marks)
        self.code += sum(
            1 for line in text.splitlines() if line.strip().lstrip("#") == line.strip() != ""
        )

    def _read(self, path, tree):
        first = (ast.get_docstring(tree) or "").split(maxsplit=1)
        self.openings.append((path, first[0] if first else ""))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self.classes.append((node.name, path))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.name.startswith("_") and not node.name.startswith("__"):
                    self.private.append((node.name, path))
            elif isinstance(node, ast.Call) and len(node.args) >= WIDE:
                self.wide.append((path, node.lineno))
            elif isinstance(node, ast.Assert):
                self.assertions += path.parts[0] == "compiled"

    @property
    def shared_classes(self):
        """Return the classes whose name another class has too."""
        names = Counter(name for name, _ in self.classes)
        return [(name, str(path)) for name, path in self.classes if names[name] > 1]

    def one_word(self, named):
        """Return those of the named whose name is one word."""
        return [name for name, _ in named if len(words(name)) == 1]


def main():
    """Print every measure."""
    house = House()
    tests = sum(text.count("\n") for _, text in modules("tests"))
    single, private = house.one_word(house.classes), house.one_word(house.private)
    print(f"classes of one word, %            {share(single, house.classes):.1f}")
    print(f"classes that share their name, %  {share(house.shared_classes, house.classes):.1f}")
    print(f"private functions of one word, %  {share(private, house.private):.1f}")
    wide = 1000 * len(house.wide) / house.lines
    print(f"calls of {WIDE} and more by place      {wide:.2f} per 1,000 lines")
    print(f"fmt: skip                         {house.skips}")
    print(f"comments per 100 lines of code    {100 * house.comments / house.code:.2f}")
    print(f"assertions in compiled/           {house.assertions}")
    print(f"modules in the largest room       {house.rooms.most_common(1)[0]}")
    print(f"lines of tests to lines of source {tests / house.lines:.2f}")


if __name__ == "__main__":
    main()
