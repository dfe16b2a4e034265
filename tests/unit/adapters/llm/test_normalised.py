import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.literals import Ambiguous
from growbin_jobs.adapters.llm.normalised import the_object
from growbin_jobs.messages import VisionAnswer

SCHEMA = VisionAnswer.model_json_schema()
ANSWER = {"category": "metal", "item": "can", "state": "clean", "confidence": 0.8}
TEXT = json.dumps(ANSWER)
ALSO = {"metal": ("금속", "캔"), "clean": ("깨끗함",), "category": ("분류",), "item": ("품목",)}


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"Here it is:\n```json\n{TEXT}\n```\nHope {{it}} helps.",
        f"{TEXT}\n{TEXT}",
        f"[{TEXT}]",
        json.dumps(TEXT),
        json.dumps({"answer": ANSWER}),
        json.dumps({"VisionAnswer": ANSWER}),
        json.dumps({"classification": ANSWER}),
        json.dumps({"이유": "캔입니다", **ANSWER, "reasoning": "It is {clear}.", "Notes": None}),
        json.dumps({"name": "VisionAnswer", "arguments": TEXT}),
        TEXT.replace("}", ",\n }"),
        TEXT.replace("metal", "metal\n"),
        TEXT.replace(",", ", // it's {clear}, see http://a\n").replace("0.8", "0.8 /* or more */"),
        TEXT.replace('"category"', "category").replace('"item"', "item"),
        str(ANSWER).replace("}", ", 'note': null, // as said\n}"),
        str(ANSWER),
        f"```python\nanswer = {ANSWER}\n```",
        TEXT.replace("0.8", '"0.8"'),
        TEXT.replace("0.8", '"80%"'),
        TEXT.replace("0.8", '"80 %"'),
        TEXT.replace("0.8", "80"),
        TEXT.replace("metal", " Metal "),
        TEXT.replace("{", '{"state": "clean", '),
        TEXT.replace("0.8", '"80％"'),
        TEXT.replace("0.8", '"0,8"'),
        TEXT.replace("metal", "Metals").replace('"item"', '"Item"'),
        TEXT.replace("metal", "금속").replace("clean", "깨끗 함"),
        TEXT.replace('"category"', '"분류"').replace('"item"', '"품목"'),
        json.dumps({"결과": {{"item": "품목"}.get(name, name): value for name, value in ANSWER.items()}}),
        json.dumps({"answer": {name.upper(): value for name, value in ANSWER.items()}}),
    ],
)
def test_the_object_is_found_and_its_values_are_read(text):
    assert the_object(text, SCHEMA, ALSO) == ANSWER


def test_a_word_is_known_by_its_letters_and_by_its_other_names_but_never_guessed():
    words = ["can", "can_lid", "pet_bottle"]
    schema = SCHEMA | {"properties": SCHEMA["properties"] | {"item": {"enum": words, "type": "string"}}}
    also = {"metal": ("캔",), "can": ("캔", "A can"), "can_lid": ("A can",)}

    def item(word):
        return the_object(json.dumps(ANSWER | {"item": word}), schema, also)["item"]

    assert [item(word) for word in ("PET-Bottle", "petBottle", "pet bottles", "can", "캔", "CAN lid")] == [
        "pet_bottle", "pet_bottle", "pet_bottle", "can", "can", "can_lid",
    ]  # fmt: skip
    assert [item(word) for word in ("a can", "ca", "bottle", "cans or lids", "")] == [
        "a can", "ca", "bottle", "cans or lids", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "It is a can.", "{", "[]", f"[{TEXT}, {TEXT}]",
        TEXT.replace("0.8", "NaN"), TEXT.replace("0.8", "Infinity"),
        TEXT.replace("0.8", '"nan"'), TEXT.replace("{", '{"state": "dirty", '),
        f"{TEXT} or {TEXT.replace('can', 'cup')}",
        TEXT.replace("{", '{"State": "dirty", '),
        str(ANSWER).replace("{", "{'state': 'dirty', "), TEXT.replace("{", '{state: "dirty", '),
        TEXT.replace('"can"', "can"), TEXT.replace("0.8", "0.8 // }"), '{"a": //' + '"\\' * 20_000 + "}",
        "{" + "-" * 3000 + "1}", "{'item': " + "(" * 3000 + "}",
        "[" * 5000, '{"a":' * 5000, '"' * 50_000, '"\\"' * 20_000, "5", "null",
    ],
)  # fmt: skip
def test_what_is_ambiguous_means_nothing(text):
    with pytest.raises(Ambiguous):
        the_object(text, SCHEMA)


@pytest.mark.parametrize("confidence", [True, 1.5, -1, 101, 80.5, "high", [0.8], None])
def test_a_value_of_another_meaning_stays_wrong(confidence):
    found = the_object(json.dumps(ANSWER | {"confidence": confidence}), SCHEMA)

    with pytest.raises(ValueError, match="confidence"):
        VisionAnswer.model_validate_json(json.dumps(found))


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2)).map(json.dumps)
)
def test_it_ends_for_every_text(text):
    with contextlib.suppress(Ambiguous):
        the_object(text, SCHEMA)


ANSWERS = st.fixed_dictionaries(
    {
        "category": st.sampled_from(SCHEMA["properties"]["category"]["enum"]),
        "item": st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
        "state": st.sampled_from(["clean", "dirty", "mixed"]),
        "confidence": st.floats(0, 1),
    }
)


@given(ANSWERS, st.sampled_from(["{}", "```json\n{}\n```", "Sure! {} .", "[{}]"]))
def test_a_right_answer_is_never_changed(answer, around):
    assert the_object(around.replace("{}", json.dumps(answer)), SCHEMA) == answer
