"""Accessibility of the monitor's pages by axe, each rule where what it looks at differs.

What a page consists of is the same in each theme and language, and in the rows of a table. How well a text can be read
depends on its colours and its size: of the hundreds of texts that share them, one is enough. ``GROWBIN_TEST_ALL=1``
looks at all of all.
"""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page
from tests.whole import WHOLE

#: The first rows of each table and the last one.
FEW_ROWS = """
() => {
    for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(4, -1).forEach(row => row.remove());
}
"""

EVERYTHING = "() => axe.run({resultTypes: ['violations']})"

STRUCTURE = "() => axe.run({resultTypes: ['violations'], rules: {'color-contrast': {enabled: false}}})"

#: A look is what the contrast of a text depends on: what paints it, and what lies behind it. Takes the looks that are
#: known, judges a text of each other one, and returns the looks that are known now. What axe cannot judge, since
#: something covers it or nobody sees it, is asked of the second and the third text, and on the next page.
COLOURS = """
async known => {
    const behind = new Map([[null, ""]]), texts = new Map(), violations = [];
    for (const each of document.querySelectorAll("*")) {
        const style = getComputedStyle(each);
        const adds = [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.position].join();
        const nothing = adds === "rgba(0, 0, 0, 0),none,1,none,static";
        behind.set(each, behind.get(each.parentElement) + (nothing ? "" : adds + ";"));
        const says = [...each.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim());
        if (!says && !each.matches("input, select, textarea") || !each.checkVisibility()) continue;
        const look = [behind.get(each), style.color, style.fontSize, style.fontWeight, style.textShadow].join();
        if (!known.includes(look)) texts.set(look, [...texts.get(look) ?? [], each]);
    }
    for (let turn = 0; turn < 3; turn++) {
        // A live page exchanges its parts meanwhile: what has left it cannot be judged.
        for (const [look, elements] of texts) texts.set(look, elements.filter(each => each.isConnected));
        const asked = [...texts].flatMap(([look, [first]]) => first ? [[look, first]] : []);
        if (!asked.length) break;
        const include = asked.map(([, element]) => element);
        const answer = await axe.run({include}, {runOnly: ["color-contrast"], elementRef: true});
        const nodes = [...answer.passes, ...answer.violations].flatMap(rule => rule.nodes);
        const judged = new Set(nodes.map(node => node.element));
        for (const [look, element] of asked) {
            texts.get(look).shift();
            if (judged.has(element)) texts.delete(look), known.push(look);
        }
        violations.push(...answer.violations.map(({id, impact, nodes: [{html}]}) => ({id, impact, nodes: [{html}]})));
    }
    return {known, violations};
}
"""


class Accessibility:
    """What axe finds serious in pages of one theme.

    Parameters:
      structure: False where the same pages are looked at in another theme too.
    """

    def __init__(self, *, structure: bool = True) -> None:
        self._structure = structure
        self._looks: list[str] = []

    def faults(self, page: Page) -> list[tuple[str, str]]:
        """Return the rule, and the beginning of the first element, of what is serious."""
        page.evaluate(AXE_SCRIPT)
        if WHOLE:
            return _serious(page.evaluate(EVERYTHING))
        page.evaluate(FEW_ROWS)
        found = _serious(page.evaluate(STRUCTURE)) if self._structure else []
        answer = page.evaluate(COLOURS, self._looks)
        self._looks = answer["known"]
        return found + _serious(answer)


def _serious(answer: dict[str, Any]) -> list[tuple[str, str]]:
    grave = [each for each in answer["violations"] if each["impact"] in ("serious", "critical")]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in grave]
