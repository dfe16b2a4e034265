"""``/api/v2`` against its own description: schemathesis asks every route with what the schema allows, and does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from tests.whole import examples

from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.config import MonitorConfig

#: Requests for each route, of each kind.
EXAMPLES = examples(5)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What the monitor says of its routes."""
    return make_app(MonitorConfig(insecure=True), cast(Any, SimpleNamespace())).openapi()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_route_answers_as_it_is_described(document: dict[str, Any], mode: str, reader: httpx.Client):
    import schemathesis  # every process of pytest would load it with this module
    from schemathesis.generation import GenerationMode

    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    read = [operation for operation in operations if operation.method.upper() == "GET"]
    wrong = {}
    for operation in read:
        try:
            _ask(operation, GenerationMode(mode), str(reader.base_url))
        except Exception as error:
            wrong[operation.path] = error

    assert wrong == {}
    assert len(read) > 30


def _ask(operation: Any, mode: Any, base_url: str) -> None:
    """Ask one route; raises at the first answer that its description does not allow."""
    from hypothesis import HealthCheck, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

    places = {parameter.location for parameter in operation.iter_parameters()}
    if mode is GenerationMode.NEGATIVE and "query" not in {str(getattr(place, "value", place)) for place in places}:
        return  # any text may be an id

    @settings(
        max_examples=EXAMPLES if places else 1, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = case.call(base_url=base_url)
        case.validate_response(
            answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
        )

    check()


def test_every_kind_of_thing_has_a_route(document: dict[str, Any]):
    wanted = {
        "tasks", "dead-letters", "error-groups", "queues", "workers", "limits", "breakers", "schedule", "analyses",
        "usage", "health", "statistics", "archives", "audit", "export", "overview", "budgets",
        "webhooks", "proof", "pauses", "batches",
    }  # fmt: skip
    assert wanted <= {path.split("/")[3] for path in document["paths"]}
