import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs import settings as _settings
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limit_names import checked_name
from growbin_jobs.limits.named import names_of


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tokens:", "The names are vision"),
        ("model:", "The names are vision"),
        ("user:", "The names are vision"),
        ("tokens:model:", "The names are vision"),
        ("Vision", "Did you mean vision?"),
        ("tokens:visoin", "Did you mean tokens:vision?"),
        ("modle:gpt-6-luna", "Did you mean model:gpt-6-luna?"),
        ("users:*", r"Did you mean user:\*?"),
        ("tokens:tokens:text", "The names are vision"),
        ("requests", "The names are vision"),
    ],
)
def test_a_name_that_no_request_takes_is_refused_and_the_one_that_was_meant_is_named(name, hint):
    with pytest.raises(ValueError, match=f"names no limit.*{hint}"):
        checked_name(name)


@given(st.sampled_from(["vision", "text", "rehearsal"]), st.text(min_size=1), st.text(min_size=1))
def test_each_name_that_a_request_takes_can_be_written(purpose, model, user):
    for name in names_of(purpose, model, user):
        assert checked_name(name) == name


def test_a_setting_with_a_name_that_no_request_takes_is_refused_by_its_variable(monkeypatch):
    monkeypatch.setenv("GROWBIN_LIMITS", "project=500/min,vison=50")

    with pytest.raises(ConfigurationError, match=r"GROWBIN_LIMITS.*'vison' names no limit\. Did you mean vision\?"):
        _settings.load()
