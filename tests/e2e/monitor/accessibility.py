"""Accessibility of the monitor's pages by axe, each rule where what it looks at differs.

What a page consists of is the same in each theme and language, in the rows of a table, the items of a list and the
sections of a long page. How well a text can be read depends on its colours and its size: of the hundreds of texts that
share them, one is enough. ``GROWBIN_TEST_ALL=1`` looks at all of all.
"""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page
from tests.whole import WHOLE

#: The first ones and the last one of what is made alike: rows, items, fields, choices, sections of a long page.
FEW = """
() => {
    const few = (all, kept) => [...all].slice(kept, -1).forEach(each => each.remove());
    for (const each of document.querySelectorAll("tbody, ul, ol, select")) few(each.children, 4);
    for (const list of document.querySelectorAll("dl")) few(list.querySelectorAll(":scope > div"), 4);
    const alike = Map.groupBy(document.querySelectorAll("main > section"), each => each.className);
    for (const sections of alike.values()) few(sections, 8);
}
"""

EVERYTHING = "() => axe.run({resultTypes: ['violations']})"

#: Only rules of which a fault is serious: what others find is not looked at.
STRUCTURE = """
() => {
    const judged = axe._audit.rules.filter(rule => rule.enabled && !rule.tags.includes("experimental"));
    const serious = judged.filter(rule => ["serious", "critical"].includes(rule.impact)).map(rule => rule.id);
    const runOnly = serious.filter(id => id !== "color-contrast");
    return axe.run({runOnly, resultTypes: ["violations"], selectors: false});
}
"""

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
        const answer = await axe.run({include}, {runOnly: ["color-contrast"], elementRef: true, selectors: false});
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
    """What axe finds serious in the pages that a tab shows.

    Parameters:
      page: The tab, in which axe is loaded with each page from now on.
      themes: In which it looks at each page; what a page consists of it judges in one.
      structure: False where the same pages are looked at elsewhere too.
    """

    def __init__(
        self, page: Page, *, themes: tuple[Literal["light", "dark"], ...] = ("light",), structure: bool = True
    ) -> None:
        page.add_init_script(AXE_SCRIPT)  # Chromium compiles it once; what is evaluated it compiles for each page
        self._page, self._themes, self._structure = page, themes, structure
        self._looks: list[str] = []

    def faults(self) -> list[tuple[str, str]]:
        """Return the rule, and the beginning of the first element, of what is serious; leaves few of what is alike."""
        found: list[tuple[str, str]] = []
        if not WHOLE:
            self._page.evaluate(FEW)
        if self._structure and not WHOLE:
            found += _serious(self._page.evaluate(STRUCTURE))
        for theme in self._themes:
            self._page.emulate_media(color_scheme=theme)
            found += _serious(self._page.evaluate(EVERYTHING) if WHOLE else self._looked())
        self._themes = self._themes[::-1]  # the next page begins in the theme in which this one ends
        return found

    def _looked(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._page.evaluate(COLOURS, self._looks)
        self._looks = answer["known"]
        return answer


def _serious(answer: dict[str, Any]) -> list[tuple[str, str]]:
    grave = [each for each in answer["violations"] if each["impact"] in ("serious", "critical")]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in grave]
