"""Contrast of every ink on every ground, in every theme, by WCAG 2.2 §1.4.3."""

import pytest
from textual.color import Color

from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, settle
from tui.app.guide.screen_looks import ScreenLooks
from tui.app.widgets.status_bands import MODES
from tui.app.widgets.theme import DIRECTIONS, THEMES, ToneStyles, fitting_theme, make_theme

READABLE = 4.5
STRICT = 7.0
LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def luminance(colour):
    """Relative luminance, by the formula of the recommendation."""
    parts = [c / 255 for c in Color.parse(colour).rgb]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(ink, ground):
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


XTERM = (
    *("#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5"),
    *("#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff"),
)
"""The sixteen colours as xterm has them."""
VGA = (
    *("#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa"),
    *("#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff"),
)
"""The same on the Linux console."""
LOOKS = [(theme, direction) for theme in THEMES for direction in DIRECTIONS]
TRUE = [looks for looks in LOOKS if looks[0] != "ansi-16"]


def variables(name, direction="green-up"):
    return make_theme(name, direction).variables


def seen(colour, palette=XTERM):
    """The colour of a style as a terminal of that palette shows it."""
    return palette[colour.number] if colour.is_system_defined else colour.triplet.hex


def inks(style, palette):
    ink, ground = seen(style.color, palette), seen(style.bgcolor, palette)
    return (ground, ink) if style.reverse else (ink, ground)


def distance(a, b):
    """Colour difference CIE76, from D65 sRGB."""

    def lab(colour):
        parts = [c / 255 for c in Color.parse(colour).rgb]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
        y = 0.2126 * r + 0.7152 * g + 0.0722 * b
        z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
        fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
        return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)

    return sum((p - q) ** 2 for p, q in zip(lab(a), lab(b), strict=True)) ** 0.5


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
BLIND = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
               (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
               (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
               (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


def as_seen_by(kind, colour):
    parts = [c / 255 for c in Color.parse(colour).rgb]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    found = []
    for row in BLIND[kind]:
        value = min(max(sum(k * c for k, c in zip(row, linear, strict=True)), 0.0), 1.0)
        value = value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
        found.append(round(value * 255))
    return f"#{found[0]:02x}{found[1]:02x}{found[2]:02x}"


def test_the_formula_gives_what_the_recommendation_says():
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    # the usual example of just not enough
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("palette", [XTERM, VGA])
def test_every_tone_can_be_read_on_every_backdrop(looks, palette):
    tones = ToneStyles(variables(*looks))
    least = STRICT if looks[0] == "high-contrast" else READABLE
    for backdrop in tones.backdrops:
        for tone in tones.tones:
            found = contrast(*inks(tones.style(tone, backdrop), palette))
            if backdrop.startswith("heat"):
                least = READABLE
            assert found >= least, (looks, tone, backdrop, round(found, 2))


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("ground", ["panel", "background", "surface"])
def test_every_tone_can_be_read_on_titles_header_and_footer(looks, ground):
    found = variables(*looks)
    tones = ToneStyles(found)
    least = STRICT if looks[0] == "high-contrast" else READABLE
    for palette in (XTERM, VGA):
        behind = seen(Color.parse(found[ground]).rich_color, palette)
        for tone in tones.tones:
            assert contrast(seen(tones.ink(tone).color, palette), behind) >= least, (tone, ground)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("palette", [XTERM, VGA])
def test_the_bands_can_be_read(mode, name, palette):
    found = {
        key: seen(Color.parse(value).rich_color, palette)
        for key, value in variables(name).items()
        if key.startswith(("mode-", "kill"))
    }
    assert contrast(found["mode-ink"], found[f"mode-{mode.lower()}"]) >= READABLE
    assert contrast(found["kill-ink"], found["kill"]) >= READABLE
    assert contrast(found["kill-ink"], found["kill-flatten"]) >= READABLE


@pytest.mark.parametrize("looks", TRUE)
def test_what_is_typed_in_and_what_scrolls_can_be_seen(looks):
    found = variables(*looks)
    for ground in ("surface", "panel"):
        # a graphic: three to one
        assert contrast(found["scrollbar"], found[ground]) >= 3.0
    assert contrast(found["ink-strong"], found["input-selection-background"]) >= READABLE
    # the focused button, and the one that does harm
    assert contrast(found["background"], found["title-focus"]) >= READABLE
    assert contrast(found["background"], found["danger"]) >= READABLE


@pytest.mark.parametrize("looks", LOOKS)
def test_gain_loss_side_warning_and_danger_share_no_colour(looks):
    tones = ToneStyles(variables(*looks))
    found = {
        tone: seen(tones.ink(tone).color)
        for tone in ("up", "down", "buy", "sell", "notice", "danger")
    }
    assert len(set(found.values())) == len(found)
    for tone in ("up", "down"):
        for other in ("notice", "danger", "sell"):
            assert distance(found[tone], found[other]) > 20, (looks, tone, other)


@pytest.mark.parametrize("looks", LOOKS)
def test_no_flash_takes_the_ink_of_a_gain_or_a_loss(looks):
    tones = ToneStyles(variables(*looks))
    for tone in ("up", "down"):
        for backdrop in tones.backdrops:
            if backdrop.startswith("flash"):
                assert tones.style(tone, backdrop).color == tones.ink(tone).color
    assert tones.style("", "flash-up") != tones.style("", "flash-down") != tones.style("", "cursor")


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_colour_blind_theme_keeps_up_and_down_apart_for_everybody(kind, direction):
    found = variables("colour-blind", direction)
    up, down = (as_seen_by(kind, found[name]) for name in ("up", "down"))
    assert distance(up, down) > 30
    for sign in (up, down):
        assert distance(sign, as_seen_by(kind, found["danger"])) > 15


def test_a_theme_takes_each_direction():
    for name in THEMES:
        green, red = variables(name, "green-up"), variables(name, "red-up")
        assert (green["up"], green["down"]) == (red["down"], red["up"])
        assert variables(name, "blue-up")["up"] == variables(name)["blue"]


@pytest.mark.parametrize(
    ("colours", "ground", "theme"),
    [
        ("standard", None, "ansi-16"),
        (None, None, "ansi-16"),
        ("256", None, "dark"),
        ("truecolor", "15;0", "dark"),
        ("truecolor", "0;default;15", "light"),
        ("256", "0;7", "light"),
        ("256", "nonsense", "dark"),
    ],
)
def test_the_theme_goes_by_what_the_terminal_says_of_itself(colours, ground, theme, monkeypatch):
    monkeypatch.delenv("COLORFGBG", raising=False)
    if ground is not None:
        monkeypatch.setenv("COLORFGBG", ground)
    assert fitting_theme(colours) == theme


def painted(app, region):
    """Return the segments of letters and figures inside a region, with their colours."""
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for text, style, _ in strip:
            inside = region.y <= y < region.bottom and region.x <= x < region.right
            if inside and style is not None and set(text) & LETTERS:
                yield (text.strip(), *inks(style, XTERM))
            x += len(text)


@pytest.mark.parametrize("theme", THEMES)
async def test_all_that_is_painted_can_be_read_in_every_theme(theme):
    face = FakeDesk()
    face.differ()
    face.bound()
    face.event("alarm", "INFY naked")
    async with running(face, looks=ScreenLooks(theme)) as (app, pilot):
        places = [
            ("6", ""),
            ("1", "x"),
            ("1", "question_mark"),
            ("1", "d"),
            ("1", "ctrl+p"),
            ("1", "c"),
            ("6", "tab g m"),
            ("1", ""),
        ]
        for screen, opening in places:
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
            assert app.screen.is_modal == (opening != ""), opening
            found = list(painted(app, region))
            assert len(found) > 5
            for text, ink, ground in found:
                assert contrast(ink, ground) >= READABLE, (theme, screen, opening, text, ink)
            if app.screen.is_modal:
                await pilot.press("escape")
