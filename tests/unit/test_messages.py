import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.errors import Permanent
from growbin_jobs.messages import Rule, VisionAnswer, parse

GOOD = {"category": "plastic", "item": "pet_bottle", "state": "clean", "confidence": 0.9}


def test_a_good_answer_survives_its_journey_as_json():
    answer = parse(VisionAnswer, json.loads(json.dumps(GOOD)))

    assert parse(VisionAnswer, json.loads(answer.model_dump_json())) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"category": "wood"},
        {"state": "unknown"},
        {"confidence": 1.01},
        {"confidence": "0.9"},
        {"confidence": float("nan")},
        {"item": "../../etc/passwd"},
        {"item": ""},
        {"item": "Pet Bottle"},
        {"item": "a" * 65},
        {"extra": 1},
        {"item": None},
    ],
)
def test_anything_else_is_refused_without_quoting_it(change):
    with pytest.raises(Permanent) as caught:
        parse(VisionAnswer, GOOD | change)

    assert caught.value.code == "request_invalid"
    assert "etc" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_value_can_do_worse_than_a_permanent_error(value):
    for model in (VisionAnswer, Rule):
        with pytest.raises(Permanent):
            parse(model, value)
