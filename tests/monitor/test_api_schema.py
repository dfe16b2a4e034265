"""``/api/v2`` against its own description: schemathesis asks every route with what the schema allows, and does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.config import MonitorConfig

#: Requests for each route, of each kind.
EXAMPLES = 5

DOCUMENT = make_app(MonitorConfig(insecure=True), cast(Any, SimpleNamespace())).openapi()
OPERATIONS = [
    operation
    for operation in (found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
    if operation.method.upper() == "GET"
]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
def test_every_route_answers_as_it_is_described(operation: Any, mode: Any, reader: httpx.Client):
    places = {parameter.location for parameter in operation.iter_parameters()}
    takes_parameters = bool(places)
    if mode is GenerationMode.NEGATIVE and "query" not in {str(getattr(place, "value", place)) for place in places}:
        return  # any text may be an id

    @settings(
        max_examples=EXAMPLES if takes_parameters else 1, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = case.call(base_url=str(reader.base_url))
        case.validate_response(
            answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
        )

    check()


def test_every_kind_of_thing_has_a_route():
    wanted = {
        "tasks", "dead-letters", "error-groups", "queues", "workers", "limits", "breakers", "schedule", "analyses",
        "usage", "health", "statistics", "archives", "audit", "export", "overview", "budgets",
        "webhooks", "proof", "pauses",
    }  # fmt: skip
    assert wanted <= {path.split("/")[3] for path in DOCUMENT["paths"]}
