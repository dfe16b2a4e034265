from datetime import date

import pytest

from growbin_jobs.model_catalog import default_model, effort_for, find_model, known_models, temperature_for

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize("purpose", ["vision", "text"])
def test_the_defaults_live_for_long_and_can_do_their_work(purpose):
    model = find_model(default_model(purpose))

    assert model is not None
    assert model.shutdown is None or (model.shutdown - TODAY).days > 365
    assert model.images or purpose == "text"
    assert model.effort in (model.efforts or [model.effort])


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_an_entry_fits_itself(model):
    assert model.efforts is None or model.effort is None or model.effort in model.efforts
    assert model.efforts is None or bool(model.efforts) == (model.effort is not None)
    assert (model.shutdown is None) == (not model.successors)
    assert not {model.name} & set(model.successors)
    assert find_model(model.name) == model


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gpt-5", "gpt-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("openai/gpt-6-luna", "gpt-6-luna"),
        ("openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-5-mini", "gpt-5-mini"),
        ("gpt-5-nano", None),
        ("llava", None),
        ("", None),
        ("-2024-07-18", None),
    ],
)
def test_names_that_mean_a_model(name, found):
    model = find_model(name)

    assert (model and model.name) == found


@pytest.mark.parametrize(
    ("name", "asked", "sent"),
    [
        ("gpt-6-luna", "auto", "none"),
        ("gpt-5", "auto", "minimal"),
        ("gpt-4o-mini", "auto", None),
        ("llava", "auto", None),
        ("gpt-5.4-nano", "auto", None),
        # what a setting of the previous version says keeps working with the new default
        ("gpt-6-luna", "minimal", "none"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5", "max", "high"),
        ("gpt-6-luna", "high", "high"),
        ("gpt-4o-mini", "low", None),
        # nothing is known: as it was asked for
        ("llava", "minimal", "minimal"),
        ("gpt-5.4-nano", "low", "low"),
        ("gpt-6-luna", "turbo", "turbo"),
        ("gpt-6-luna", None, None),
    ],
)
def test_the_effort_fits_the_model(name, asked, sent):
    assert effort_for(name, asked) == sent


@pytest.mark.parametrize(("name", "sent"), [("gpt-6-luna", None), ("gpt-4o-mini", 0.3), ("llava", 0.3)])
def test_a_temperature_is_not_sent_to_a_model_that_refuses_it(name, sent):
    assert temperature_for(name, 0.3) == sent
