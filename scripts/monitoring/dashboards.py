"""All dashboards by name."""

from typing import Any

from monitoring import money_page, overview_page, pipeline_page, schedule_page


def dashboards() -> dict[str, dict[str, Any]]:
    """Return each dashboard's JSON by its name."""
    pages = (overview_page.PAGE, pipeline_page.PAGE, money_page.PAGE, schedule_page.PAGE)
    return {page.name: page.json() for page in pages}
