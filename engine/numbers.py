"""Numbers as an Indian trader reads them: 12,34,567.80, ▲ 1.23%, 3.4 L, 14:32:07."""

import time

from compiled.model.values import SECOND
from engine.indian_time import IST


def group_digits(digits: str) -> str:
    """Put commas into a string of digits the Indian way: the last three, then twos."""
    # Lakh and crore: 12,34,567.
    if len(digits) <= 3:
        return digits
    head, tail = digits[:-3], digits[-3:]
    start = len(head) % 2
    twos = [head[i : i + 2] for i in range(start, len(head), 2)]
    return ",".join([head[:start], *twos, tail] if start else [*twos, tail])


def counted(n: int, what: str) -> str:
    """Say how many there are of something: 1 session, 1,200 sessions."""
    return f"{count(n)} {what}{'' if n == 1 else 's'}"


def count(n: int) -> str:
    """Format a whole number: 1234567 → 12,34,567."""
    return "-" + group_digits(str(-n)) if n < 0 else group_digits(str(n))


def rupees(paise: int) -> str:
    """Format paise as rupees: 123456780 → 12,34,567.80."""
    whole, part = divmod(abs(paise), 100)
    return f"{'-' if paise < 0 else ''}{group_digits(str(whole))}.{part:02d}"


def amount(text: str) -> str:
    """Group a text that is a plain number, without decimals from a thousand on.

    1240000.50 → 12,40,001. Any other text stays as it is.
    """
    whole, dot, part = text.removeprefix("-").partition(".")
    if not whole.isdecimal() or (dot and not part.isdecimal()):
        return text
    if dot and len(whole) > 3:
        whole, dot, part = str(round(float(f"{whole}.{part}"))), "", ""
    return f"{'-' if text.startswith('-') else ''}{group_digits(whole)}{dot}{part}"


def price(x: float) -> str:
    """Format a price: two decimals, four where its grid is finer, empty for none (0.0)."""
    if x == 0.0:
        return ""
    text = f"{x:.4f}"
    whole, part = text[:-5], text[-4:]
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{group_digits(whole.lstrip('-'))}.{part if part[2:] != '00' else part[:2]}"


def arrow(x: float) -> str:
    """Return ▲, ▼, or a space when nothing moved."""
    return "▲" if x > 0 else "▼" if x < 0 else " "


def percent_move(x: float) -> str:
    """Format a signed percentage with its arrow: -1.234 → ▼ 1.23%."""
    return f"{arrow(x)} {abs(x):.2f}%"


def gain(paise: int) -> str:
    """Format a profit or a loss in paise, with its arrow and its sign: -1234500 → ▼ -12,345.00."""
    return f"{arrow(paise)} {rupees(paise)}"


def compact(n: int) -> str:
    """Format a volume in at most seven characters: 1234567 → 12.35 L, 123456789 → 12.35 Cr.

    -1 stands for none.
    """
    if n < 0:
        return ""
    # The bounds lie where rounding to two places would need another digit: 99,995 is 1.00 L.
    if n < 99_995:
        return count(n)
    if n < 9_999_500:
        return f"{n / 100_000:.2f} L"
    return f"{n / 10_000_000:.2f} Cr" if n < 999_950_000 else f"{n / 10_000_000:.0f} Cr"


def age(ns: int) -> str:
    """Format an age: 0s, 59s, 12m, 3h.

    It is empty when it lies ahead by a second or more.
    """
    seconds = ns // SECOND
    if seconds < -1:
        return ""
    if seconds < 60:
        return f"{max(seconds, 0)}s"
    return f"{seconds // 60}m" if seconds < 3_600 else f"{seconds // 3_600}h"


def day_name(ns: int) -> str:
    """Format the day of a time in IST: Tue 14 Jul 2026; an empty string for none (0)."""
    return time.strftime("%a %-d %b %Y", time.gmtime((ns + IST) // SECOND)) if ns else ""


def log_time(ns: int) -> str:
    """Format an instant as the log shows it, in IST: 07 Jan 13:25."""
    return time.strftime("%d %b %H:%M", time.gmtime((ns + IST) // SECOND))


def time_of_day(ns: int) -> str:
    """Format an instant as the time of day in IST: 14:32:07; dashes for 0 (not known yet)."""
    if ns <= 0:
        return "--:--:--"
    second = ((ns + IST) // SECOND) % 86_400
    return f"{second // 3_600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def instant(ns: int) -> str:
    """Format an instant to the millisecond, in IST: 14:32:07.125."""
    return f"{time_of_day(ns)}.{ns // 1_000_000 % 1_000:03d}"


def countdown(ns: int) -> str:
    """Format a countdown, rounded up to whole seconds: 4:12, 1:04:12."""
    # Rounded up: a countdown that shows 0:00 is over.
    seconds = max(-(-ns // SECOND), 0)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"
