import pytest

from growbin_jobs.adapters.llm.tiers import refused_tier


@pytest.mark.parametrize(
    ("status", "error", "tier", "known"),
    [
        (429, {"code": "resource_unavailable"}, "flex", False),
        (429, {"type": "resource_unavailable", "message": "Resource Unavailable"}, "priority", False),
        (400, {"message": "Unsupported service_tier 'flex' for this model."}, "flex", True),
        (400, {"message": "Flex processing is not available for gpt-6-luna."}, "flex", True),
        (422, {"message": "Unrecognized field: service tier"}, "flex", True),
        (429, {"code": "rate_limit_exceeded"}, "flex", None),
        (400, {"message": "temperature is too high"}, "flex", None),
        (400, {"message": "a flexible request"}, "flex", None),
        (429, {"code": "resource_unavailable"}, None, None),
        (429, {"code": "resource_unavailable"}, "default", None),
        (429, "resource_unavailable", "flex", None),
        (500, None, "flex", None),
    ],
)
def test_a_tier_that_is_not_to_be_had_is_told_from_every_other_refusal(status, error, tier, known):
    found = refused_tier(status, {"error": error}, tier)

    assert (found and found.known) == known
    assert found is None or tier in str(found)
