"""The forms of a report: Markdown, and HTML with charts that needs nothing from elsewhere."""

import re
from html import escape
from typing import Final

from growbin_jobs.operations.reports.content import Content, Table

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}td,th{padding:.3rem .6rem;text-align:left;"
    "border-bottom:1px solid #d8dee4}td.n,th.n{text-align:right}svg{display:block}rect{fill:#2d7d46}"
    "@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e9ec}td,th{border-color:#3a4047}}"
)

#: Width of the longest bar of a chart, in pixels.
_WIDTH: Final = 160

#: What marks up wherever it stands, and what does so at the beginning of a line.
_MARKS: Final = re.compile(r"[\\`*_{}\[\]<>|~]|^[#+-]", re.MULTILINE)


def markdown(content: Content) -> str:
    """Return a report as Markdown; the texts in it mark nothing up."""
    parts = [f"# {_marked(content.title)}", _marked(content.span)]
    for table in content.tables:
        if table.heading:
            parts.append(f"## {_marked(table.heading)}")
        parts.append(_markdown_table(table) if table.rows else _marked(content.nothing))
    return "\n\n".join([*parts, _marked(content.note)]) + "\n"


def html(content: Content) -> str:
    """Return a report as one HTML page."""
    body = [f"<h1>{escape(content.title)}</h1>", f"<p>{escape(content.span)}</p>"]
    for table in content.tables:
        if table.heading:
            body.append(f"<h2>{escape(table.heading)}</h2>")
        body.append(_html_table(table) if table.rows else f"<p>{escape(content.nothing)}</p>")
    body.append(f"<p><small>{escape(content.note)}</small></p>")
    return (
        f'<!doctype html>\n<html lang="{content.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(content.title)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n"
        "</body></html>\n"
    )


def _markdown_table(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    return "\n".join(
        f"| {' | '.join(cell if number == 1 else _marked(cell) for cell in row)} |" for number, row in enumerate(lines)
    )


def _html_table(table: Table) -> str:
    first = len(table.columns) - 1 if table.bars else 1
    head = "".join(f"<th{_side(at, first)}>{escape(name)}</th>" for at, name in enumerate(table.columns))
    rows = []
    for number, row in enumerate(table.rows):
        cells = "".join(f"<td{_side(at, first)}>{escape(cell)}</td>" for at, cell in enumerate(row))
        rows.append(f"<tr>{cells}{_bar(table, number)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _bar(table: Table, number: int) -> str:
    if not table.bars:
        return ""
    width = max(1, round(table.bars[number] / max(table.bars) * _WIDTH))
    bar = f'<rect width="{width}" height="12"/>'
    return f'<td><svg width="{_WIDTH}" height="12" role="img" aria-hidden="true">{bar}</svg></td>'


def _side(at: int, first: int) -> str:
    return ' class="n"' if at >= first else ""


def _marked(text: str) -> str:
    return _MARKS.sub(r"\\\g<0>", text)
