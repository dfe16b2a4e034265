"""What the tests of pages call accessible: one bad text among many good ones is found, as is a bad element."""

from tests.e2e.monitor.accessibility import Accessibility

GOOD = "<p>Good</p>" * 20
PAGE = "<html lang=en><title>t</title><main><h1>h</h1>{}</main>"

COVERED = (
    "<p style='color: #999; position: relative'>Covered<i style='position: absolute; inset: 0; background: #fff'></i>"
)

#: Bad in one theme.
DARK = "<style>@media (prefers-color-scheme: dark) { p { color: #999 } }</style><p>Bad</p>"

#: What is wrong, for every rule of looks: colour, background, opacity, size, and one whose first text is covered.
BAD = (
    "<p style='color: #999'>Bad</p>",
    "<p style='background: #555'>Bad</p>",
    "<div style='opacity: .4'><p>Bad</p></div>",
    "<p style='font-size: 24px; color: #888'>Good</p><p style='color: #888'>Bad</p>",
    f"{COVERED}</p><p style='color: #999; position: relative'>Bad</p>",
)


def test_what_is_bad_is_found_in_any_theme(browser):
    page = browser.new_context().new_page()
    accessibility = Accessibility(page, structure=False)
    page.goto("about:blank")
    page.set_content(PAGE.format(GOOD))
    assert accessibility.faults() == []
    for bad in BAD:
        page.set_content(PAGE.format(GOOD + bad + GOOD))
        assert [(rule, "Bad" in element) for rule, element in accessibility.faults()] == [("color-contrast", True)]

    both = Accessibility(page, themes=("light", "dark"))
    page.set_content(PAGE.format("<button></button>"))
    assert {rule for rule, _ in both.faults()} == {"button-name"}  # of both themes where all of all is looked at
    page.set_content(PAGE.format(DARK))
    assert [rule for rule, _ in both.faults()] == ["color-contrast"]
    page.context.close()
