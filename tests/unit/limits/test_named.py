import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.llm.attribution import Attribution
from growbin_jobs.adapters.llm.guards import PlannedRequest
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.named import NamedLimit, NamedLimits, costs, named_limits, names_of
from growbin_jobs.rates import Rate, parse_rates


def limits(text):
    return NamedLimits(parse_rates(text))


def planned(model="gpt-6-luna", purpose="vision", *, user=None, input_tokens=1500, max_tokens=1000):
    return PlannedRequest(model, purpose, input_tokens, max_tokens, attribution=Attribution(user_id=user))


def test_by_default_pictures_and_texts_have_their_limits_and_nothing_else():
    configured = named_limits(_settings.load()).configured()

    assert [(each.name, str(each.rate), each.burst) for each in configured] == [
        ("text", "200/min", 1.0),
        ("vision", "100/min", 1.0),
    ]
    assert all(each.use >= 0.97 for each in configured)


def test_a_limit_of_zero_is_none(monkeypatch):
    monkeypatch.setenv("GROWBIN_VISION_LIMIT", "0")
    monkeypatch.setenv("GROWBIN_LIMITS", "project=500/min")

    assert [each.name for each in named_limits(_settings.load()).configured()] == ["project", "text"]


def test_a_wrong_list_of_limits_names_its_variable(monkeypatch):
    monkeypatch.setenv("GROWBIN_LIMITS", "project=lots")

    with pytest.raises(ConfigurationError, match=r"GROWBIN_LIMITS.*is no rate"):
        _settings.load()


def test_a_request_takes_all_limits_that_fit_it():
    every = limits("vision=100,text=200,model:gpt-6-luna=300,model:other=9,project=400,user:*=20,user:u2=5")

    assert costs(planned(user="u1"), every) == {
        "vision": 1,
        "model:gpt-6-luna": 1,
        "project": 1,
        "user:u1": 1,
    }
    assert set(costs(planned(purpose="text"), every)) == {"text", "model:gpt-6-luna", "project"}
    assert set(costs(planned("other", "report"), every)) == {"model:other", "project"}


def test_a_user_of_its_own_rate_keeps_it_and_the_others_get_the_common_one():
    every = limits("user:*=20/min,user:u2=5/min")

    assert every.find("user:u1") == NamedLimit("user:u1", Rate(20))
    assert every.find("user:u2") == NamedLimit("user:u2", Rate(5))
    assert [each.name for each in every.configured()] == ["user:u2"]


def test_a_dated_snapshot_counts_for_its_model():
    assert set(costs(planned("gpt-6-luna-2026-09-01"), limits("model:gpt-6-luna=5"))) == {"model:gpt-6-luna"}


def test_tokens_are_what_is_sent_and_the_most_that_may_be_answered():
    every = limits("tokens:vision=200000,tokens:user:*=50000,vision=100")

    assert costs(planned(user="u1"), every) == {"vision": 1, "tokens:vision": 2500, "tokens:user:u1": 2500}
    assert costs(planned(), every, input_tokens=300.2)["tokens:vision"] == 1301


def test_a_rehearsal_counts_as_what_it_rehearses():
    assert "vision" in names_of("rehearsal", "gpt-6-luna", None)
    assert "rehearsal" not in names_of("rehearsal", "gpt-6-luna", None)


def test_what_nothing_limits_takes_nothing():
    assert costs(planned(), limits("text=5")) == {}


@given(st.integers(1, 10**9), st.integers(1, 10**5))
def test_a_token_limit_lets_the_largest_request_go_unless_that_leaves_too_little_of_the_promise(most, largest):
    [limit] = NamedLimits({"tokens:project": Rate(most)}, largest_request=largest).configured()

    assert 1 <= limit.burst <= max(1, most / 2)
    assert limit.burst >= min(largest, most // 2)
    assert limit.parameters.spacing > 0
    if largest <= most * 0.07 and most >= 1000:
        assert limit.use >= 0.90


def test_the_users_limit_of_an_odd_id_is_not_that_of_another():
    every = limits("user:*=20,tokens:user:*=9000")
    odd = [costs(planned(user=user), every) for user in ("a", "a:b", "*", "tokens:user:a", "사용자")]

    assert len({name for each in odd for name in each}) == 2 * len(odd)


@pytest.mark.parametrize(
    "listed", ["tokens:vision=2000/min", "tokens:text=10/h", "tokens:project=1600", "tokens:user:*=5"]
)
def test_a_limit_under_which_nothing_could_be_sent_is_refused_with_what_would_do(listed):
    with pytest.raises(ConfigurationError, match=r"nothing could be sent.* Write more than [0-9]+/"):
        named_limits(_settings.load(limits=parse_rates(listed)))

    assert named_limits(_settings.load(limits=parse_rates("tokens:vision=2100/min, tokens:project=1700")))
