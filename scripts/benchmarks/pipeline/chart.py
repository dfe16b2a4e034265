"""The picture of the figures, for the README."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pipeline.installation import SYSTEMS
from benchmarks.pipeline.measurement import Run

COLOURS = {"growbin_jobs": "#1b7f5c", "celery": "#d9a441", "celery-large": "#c8ccd0"}
BAR = 0.26

#: Panels: what is drawn, from which field.
PANELS = {
    "analyses a minute": "per_minute",
    "CPU ms of the workers, an analysis": "cpu_ms",
    "peak memory, MB": "memory_mb",
}


def draw(runs: Sequence[Run], path: Path) -> None:
    """Draw bars of the medians, a panel for each of throughput, CPU and memory."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    groups = sorted({(run.megapixels, run.killed) for run in runs}, reverse=True)
    systems = [system for system in SYSTEMS if any(run.system == system for run in runs)]
    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(10, 0.8 + 0.75 * len(groups)), layout="constrained")
    for panel, (title, name) in zip(panels, PANELS.items(), strict=True):
        for at, (size, killed) in enumerate(groups):
            for number, system in enumerate(systems):
                found = [
                    getattr(run, name)
                    for run in runs
                    if (run.system, run.megapixels, run.killed) == (system, size, killed)
                ]
                if not found:
                    continue
                value, y = statistics.median(found), at + BAR * (number - (len(systems) - 1) / 2)
                panel.barh(y, value, BAR * 0.9, color=COLOURS[system])
                panel.text(value, y, f"  {value:,.0f}", va="center", fontsize=8)
        panel.set_title(title, fontsize=10)
        names = [f"{size} MP" + (",\nkill -9" if killed else "") for size, killed in groups]
        panel.set_yticks(range(len(groups)), names if panel is panels[0] else [""] * len(groups), fontsize=9)
        panel.invert_yaxis()
        panel.margins(x=0.18)
        panel.set_xlim(left=0)
        panel.tick_params(axis="x", labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=COLOURS[system]) for system in systems]
    figure.legend(handles, [SYSTEMS[system] for system in systems], loc="outside lower center", ncols=3, fontsize=9)
    figure.savefig(path, dpi=144)
    pyplot.close(figure)
