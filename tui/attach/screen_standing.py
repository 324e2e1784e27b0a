"""Standing of a screen at its desk."""

from typing import Final, NamedTuple

REFUSED: Final = "a viewer changes nothing: patang attach --as operator"


class ScreenStanding(NamedTuple):
    """Standing of a screen: `role` "viewer" or "operator", "" for the desk's own screen.

    `trouble` says why an attached screen's picture is not of now.
    """

    role: str = ""
    trouble: str = ""

    @property
    def is_viewer(self) -> bool:
        """Tell whether it may look and no more."""
        return self.role == "viewer"

    @property
    def note(self) -> str:
        """Return it for the mode band."""
        return " · ".join(filter(None, (self.role.upper(), self.trouble)))
