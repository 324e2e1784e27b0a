"""Contrast of every ink on every ground, in every theme, by WCAG 2.2 §1.4.3."""

import pytest
from textual.color import Color

from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, settle
from tui.app.widgets.status_bands import MODES
from tui.app.widgets.theme import DIRECTIONS, THEMES, ToneStyles

READABLE = 4.5
LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def luminance(colour):
    """Relative luminance, by the formula of the recommendation."""
    parts = [c / 255 for c in Color.parse(colour).rgb]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(ink, ground):
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def variables(name):
    theme = next(theme for theme in THEMES if theme.name == name)
    return theme.variables | {
        "surface": theme.surface,
        "panel": theme.panel,
        "background": theme.background,
    }


def test_the_formula_gives_what_the_recommendation_says():
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    # the usual example of just not enough
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_tone_can_be_read_on_every_backdrop(name):
    tones = ToneStyles(variables(name))
    for backdrop in tones.backdrops:
        for tone in tones.tones:
            style = tones.style(tone, backdrop)
            found = contrast(style.color.name, style.bgcolor.name)
            assert found >= READABLE, (name, tone, backdrop, round(found, 2))


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("ground", ["panel", "background", "surface"])
def test_every_tone_can_be_read_on_titles_header_and_footer(name, ground):
    tones = ToneStyles(variables(name))
    for tone in tones.tones:
        assert contrast(tones.ink(tone).color.name, variables(name)[ground]) >= READABLE, (
            tone,
            ground,
        )


@pytest.mark.parametrize("mode", MODES)
def test_the_bands_can_be_read(mode):
    for name in DIRECTIONS:
        found = variables(name)
        assert contrast("#ffffff", found[f"mode-{mode.lower()}"]) >= READABLE
        assert contrast("#000000", found["kill"]) >= READABLE
        assert contrast("#000000", found["kill-flatten"]) >= READABLE


def painted(app, region):
    """Return the segments of letters and figures inside a region, with their colours."""
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for text, style, _ in strip:
            inside = region.y <= y < region.bottom and region.x <= x < region.right
            if inside and style is not None and set(text) & LETTERS:
                yield text.strip(), style.color.triplet.hex, style.bgcolor.triplet.hex
            x += len(text)


async def test_all_that_is_painted_can_be_read_in_every_theme():
    face = FakeDesk()
    face.differ()
    face.bound()
    face.event("alarm", "INFY naked")
    async with running(face) as (app, pilot):
        places = [
            ("6", ""),
            ("1", "x"),
            ("1", "question_mark"),
            ("1", "d"),
            ("1", "ctrl+p"),
            ("6", "tab g m"),
        ]
        for screen, opening in [*places, ("1", ""), ("1", "c"), ("1", "c")]:
            await pilot.press(screen)
            await settle(app, pilot)
            for key in opening.split():
                await pilot.press(key)
                await pilot.pause()
            face.step()
            await settle(app, pilot)
            region = (
                app.screen.query_one("#box").region if app.screen.is_modal else app.screen.region
            )
            assert app.screen.is_modal == (opening not in {"", "c"}), opening
            seen = list(painted(app, region))
            assert len(seen) > 5
            for text, ink, ground in seen:
                assert contrast(ink, ground) >= READABLE, (
                    app.theme,
                    screen,
                    opening,
                    text,
                    ink,
                    ground,
                )
            if app.screen.is_modal:
                await pilot.press("escape")
