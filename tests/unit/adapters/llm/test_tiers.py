import pytest

from growbin_jobs.adapters.llm.tiers import refused_tier


@pytest.mark.parametrize(
    ("status", "error", "tier", "full"),
    [
        (429, {"code": "resource_unavailable"}, "flex", True),
        (429, {"type": "resource_unavailable", "message": "Resource Unavailable"}, "priority", True),
        (498, {"code": "capacity_exceeded"}, "flex", True),
        (400, {"message": "Unsupported service_tier 'flex' for this model."}, "flex", False),  # that is learnt
        (429, {"code": "rate_limit_exceeded"}, "flex", False),
        (429, {"code": "resource_unavailable"}, None, False),
        (429, {"code": "resource_unavailable"}, "default", False),
        (429, "resource_unavailable", "flex", False),
        (500, None, "flex", False),
    ],
)
def test_a_tier_that_has_no_room_is_told_from_every_other_refusal(status, error, tier, full):
    found = refused_tier(status, {"error": error}, tier)

    assert (found is not None) == full
    assert found is None or tier in str(found)
