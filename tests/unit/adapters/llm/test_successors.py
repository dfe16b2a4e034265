import pytest

from growbin_jobs.adapters.llm.guards import ModelAway
from growbin_jobs.adapters.llm.successors import first_offered
from growbin_jobs.errors import Permanent, Transient


def gone(model):
    return Permanent("model_not_offered", status=404, model=model, detail="")


def away(model, reason="model_not_offered"):
    return ModelAway(model, wait=60, reason=reason)


def asking(*answers):
    def ask(place):
        if isinstance(answers[place], Exception):
            raise answers[place]
        return answers[place]

    return ask


@pytest.mark.parametrize("error", [gone("a"), away("a")])
def test_the_first_model_that_is_offered_answers(error, caplog):
    assert first_offered(["a", "b", "c"], asking(error, "b's", "c's")) == "b's"
    assert "model.gone model=a asks=b" in caplog.text


def test_where_all_are_gone_the_preferred_one_is_waited_for():
    first = away("a")

    with pytest.raises(ModelAway) as raised:
        first_offered(["a", "b"], asking(first, gone("b")))

    assert raised.value is first


@pytest.mark.parametrize("error", [Transient("HTTP 500"), away("a", "failed"), Permanent("model_refused")])
def test_any_other_failure_asks_no_other_model(error):
    with pytest.raises(type(error)):
        first_offered(["a", "b"], asking(error, "b's"))
