"""What a row of the catalogue is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Source = Literal["process", "node", "cluster"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    Attributes:
      name: As Prometheus shows it. Counters end with ``_total``.
      kind: ``counter``, ``gauge`` or ``histogram``.
      labels: Names of its labels; those of a node have ``worker`` too.
      help: What it says.
      unit: Of its values; empty: a number of things, or 0 and 1.
      source: Who shows it.
      buckets: Upper bounds, of a histogram.
      values: What a label may be, where that is a closed list.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    unit: str
    source: Source
    buckets: tuple[float, ...] = ()
    values: Mapping[str, tuple[str, ...]] | None = None

    @property
    def shown_labels(self) -> tuple[str, ...]:
        """All labels that a sample has, beside ``le``."""
        return self.labels if self.source == "cluster" else ("worker", *self.labels)


#: All rows, by name.
CATALOGUE: dict[str, Metric] = {}


def row(
    name: str, kind: Kind, labels: str, source: Source, help_: str, unit: str = "", buckets: tuple[float, ...] = (), /,
    **values: tuple[str, ...],
) -> Metric:  # fmt: skip
    """Add a row, and return it; ``values`` are the closed lists of labels."""
    metric = Metric(name, kind, tuple(labels.split()), help_, unit, source, buckets, values or None)
    assert name not in CATALOGUE
    CATALOGUE[name] = metric
    return metric
