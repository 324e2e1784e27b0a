"""The subject line of NSE's list of corporate actions: kind and ratio of the action."""

import re
from enum import Enum
from typing import NamedTuple


class ActionKind(Enum):
    """The kind of a corporate action, as far as prices and positions are concerned."""

    SPLIT = "split"
    CONSOLIDATION = "consolidation"
    BONUS = "bonus"
    DIVIDEND = "dividend"
    DEMERGER = "demerger"
    RIGHTS = "rights"
    SCHEME = "scheme"


class ActionEffect(NamedTuple):
    """One effect of a subject: shares per share, or rupees a share.

    `ratio` is shares after per share before (1.0 where they stay), 0.0 where the text has none;
    `amount` is rupees a share, -1.0 where the text has none.
    """

    kind: ActionKind
    ratio: float = 1.0
    amount: float = 0.0


NUMBER = r"(\d+(?:\.\d+)?)"
FACE = re.compile(rf"from\s+r[se]\.?\s*{NUMBER}.*?to\s+r[se]\.?\s*{NUMBER}", re.IGNORECASE)
PAIR = re.compile(rf"{NUMBER}\s*:\s*{NUMBER}")
# "(?!is)": sub-division is no dividend.
DIVIDEND = re.compile(
    rf"div(?!is)\w*(?:[\s\-:.]|of|per|r\s?[se])*{NUMBER}|div(?!is)\w*", re.IGNORECASE
)
NOT_SHARES = re.compile(r"ncrps|debenture|preference", re.IGNORECASE)
SCHEMES = re.compile(r"arr?angement|amalgamation|merger|capital reduction", re.IGNORECASE)


def subject_effects(subject: str) -> list[ActionEffect]:
    """Return the effects of a subject on prices or positions, none of a meeting or a buy-back."""
    found: list[ActionEffect] = []
    words = subject.lower()
    if "split" in words or "sub-division" in words or "consolidation" in words:
        found.append(_face_value_effect(subject))
    # A demerger is carried out by a scheme of arrangement and may say so: it is the one with known
    # terms.
    if "demerger" in words:
        found.append(ActionEffect(ActionKind.DEMERGER))
    elif NOT_SHARES.search(subject) or SCHEMES.search(subject):
        found.append(ActionEffect(ActionKind.SCHEME))
    elif "bonus" in words:
        found.append(_bonus_effect(subject))
    if "rights" in words:
        found.append(ActionEffect(ActionKind.RIGHTS))
    if DIVIDEND.search(subject):
        found.append(_dividend_effect(subject))
    return found


def _face_value_effect(subject: str) -> ActionEffect:
    match = FACE.search(subject)
    ratio = float(match[1]) / float(match[2]) if match else 0.0
    return ActionEffect(ActionKind.CONSOLIDATION if 0.0 < ratio < 1.0 else ActionKind.SPLIT, ratio)


def _bonus_effect(subject: str) -> ActionEffect:
    """Read "a:b": a new shares for every b held."""
    match = PAIR.search(subject)
    return ActionEffect(ActionKind.BONUS, 1.0 + float(match[1]) / float(match[2]) if match else 0.0)


def _dividend_effect(subject: str) -> ActionEffect:
    """Add up the dividends of one subject; one without its amount leaves the sum unknown."""
    amounts = DIVIDEND.findall(subject)
    return ActionEffect(
        ActionKind.DIVIDEND, 1.0, round(sum(map(float, amounts)), 6) if all(amounts) else -1.0
    )
