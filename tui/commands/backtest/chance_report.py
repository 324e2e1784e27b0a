"""Table for a terminal of what else could have come of the same trades and days."""

from rich.table import Table

from engine.research.trial_chance import SHOWN, TrialChance, chance_lines


def chance_table(title: str, chance: TrialChance) -> Table:
    """Return three percentiles of return and drawdown beside what really came, in % of the cash."""
    made = Table(title=title, title_justify="left", box=None, header_style="dim", pad_edge=False)
    made.title_style = "bold"
    for name in ("", ""):
        made.add_column(name, no_wrap=True)
    for name in (*(f"{share} %" for share in SHOWN), "real"):
        made.add_column(name, justify="right", no_wrap=True)
    lines = [*chance_lines(chance)]
    for each in lines:
        figures = (*each.final, each.final_real)
        made.add_row("return", each.drawn, *(f"{figure:.2f}" for figure in figures))
    for each in lines:
        figures = (*each.drawdown, each.drawdown_real)
        made.add_row("drawdown", each.drawn, *(f"{figure:.2f}" for figure in figures))
    return made
