"""The picture of the figures, for the docs."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.tasks.figures import Figures
from benchmarks.tasks.systems import POOLS, SYSTEMS

COLOURS = {"a": "#c8ccd0", "e": "#b3b9bf", "b": "#9aa1a8", "c": "#1b7f5c", "d": "#d9a441"}
BAR = 0.17


def draw(figures: Sequence[Figures], path: Path) -> None:
    """Draw bars of the median rates, with a line from the slowest to the fastest round, one panel a chain's length."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    pools = [pool for pool in POOLS if any(one.pool == pool for one in figures)]
    systems = [system for system in SYSTEMS if any(one.system == system for one in figures)]
    lengths = sorted({one.length for one in figures})
    figure, panels = pyplot.subplots(
        1, len(lengths), figsize=(4.8 * len(lengths), 0.6 + 1.35 * len(pools)), squeeze=False, layout="constrained"
    )
    for panel, length in zip(panels[0], lengths, strict=True):
        for one in figures:
            if one.length != length:
                continue
            y = pools.index(one.pool) + BAR * (systems.index(one.system) - (len(systems) - 1) / 2)
            rate = one.rate
            panel.barh(y, rate.median, BAR * 0.9, color=COLOURS[one.system])
            panel.plot([rate.low, rate.high], [y, y], color="#444444", linewidth=1)
            panel.text(rate.high, y, f"  {rate.median:,.0f}", va="center", fontsize=8)
        panel.set_title("tasks per second" if length == 1 else f"chains of {length} tasks per second", fontsize=10)
        panel.set_yticks(range(len(pools)), [POOLS[pool].words.replace(" × ", " ×\n") for pool in pools], fontsize=9)
        panel.invert_yaxis()
        panel.margins(x=0.15)
        panel.set_xlim(left=0)
        panel.tick_params(axis="x", labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=COLOURS[system]) for system in systems]
    figure.legend(handles, [SYSTEMS[system] for system in systems], loc="outside lower center", ncols=5, fontsize=9)
    figure.savefig(path, dpi=144)
    pyplot.close(figure)
