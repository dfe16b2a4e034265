import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.vision import OnlineVision, Vision, answer_key
from growbin_jobs.messages import VisionAnswer

ITEMS = [KnownItem("general", "기타", "other"), KnownItem("pet_bottle", "페트병", "PET bottle")]
ANSWER = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.9)
CALL = Call(model="gpt-5", timeout=50, max_tokens=1000)


class Model:
    """A vision model that counts what is paid for."""

    def __init__(self, name="gpt-5", fingerprint="vision-1/abc", error=None):
        self.name, self.fingerprint = name, fingerprint
        self.error = error
        self.asked = []

    def classify(self, picture, address=None):
        self.asked.append((picture, address))
        if self.error:
            raise self.error
        return ANSWER


class Cache:
    """An answer cache in memory."""

    def __init__(self):
        self.rows = {}

    def get(self, key):
        row = self.rows.get(key)
        return row and row["response"]

    def put(self, key, **row):
        self.rows[key] = row


class Client:
    """A model client that gives the same answer to everything, through the schema it is asked with."""

    own_address = None

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def ask(self, call, messages, schema, *, in_words, inline=None, also=None):
        assert also["pet_bottle"] == ("페트병", "PET bottle")
        assert inline is None or inline().startswith("data:image/jpeg;base64,")
        self.asked.append((call, messages, schema, in_words))
        return Completion(schema.model_validate_json(json.dumps(self.answer)), call.model, None, None)


def service(model, cache):
    return Vision(model, Answers(VisionAnswer, cache, patience=10))


# --- not paying twice


def test_the_same_picture_is_asked_for_once():
    model, cache = Model(), Cache()

    assert service(model, cache).answer(b"picture") == (ANSWER, "gpt-5", False)
    assert service(model, cache).answer(b"picture") == (ANSWER, "gpt-5", True)
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("model", "picture"),
    [(Model(name="gpt-6-luna"), b"picture"), (Model(fingerprint="vision-2/abc"), b"picture"), (Model(), b"another")],
)
def test_another_model_prompt_or_picture_is_asked_anew(model, picture):
    cache = Cache()
    service(Model(), cache).answer(b"picture")

    assert service(model, cache).answer(picture).from_cache is False


@given(st.tuples(st.text(), st.text(), st.binary()), st.tuples(st.text(), st.text(), st.binary()))
def test_no_two_questions_share_a_key(one, other):
    keys = [answer_key(Model(name, fingerprint), picture) for name, fingerprint, picture in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


def test_rows_of_the_previous_version_stay_valid():
    call = Call(model="gpt-5", timeout=50, max_tokens=1000, reasoning_effort="minimal")
    model = OnlineVision(Client({}), call=call, items=ITEMS)

    assert answer_key(model, b"picture") == "5c6e67e337fcee677b5d2a7f35e554ad56a8747e90fa87a2581a68a9c31494ff"


def test_what_is_kept_says_by_whom_and_holds_no_picture():
    cache = Cache()
    service(Model(), cache).answer(b"picture")

    (row,) = cache.rows.values()
    assert row == {"prompt": "vision-1/abc", "response": ANSWER.model_dump_json(), "model": "gpt-5"}


def test_the_address_reaches_the_model():
    model = Model()
    service(model, None).answer(b"picture", "https://bucket/key?signature")

    assert model.asked == [(b"picture", "https://bucket/key?signature")]


# --- the online model


def test_the_answer_comes_back_as_a_plain_vision_answer():
    answer = OnlineVision(Client(ANSWER.model_dump()), call=CALL, items=ITEMS).classify(b"\xff\xd8")

    assert type(answer) is VisionAnswer
    assert answer == ANSWER


def picture_sent(client):
    (_, messages, _, _) = client.asked[-1]
    return messages[1]["content"][1]["image_url"]


def test_the_picture_goes_along_or_its_address_does():
    client = Client(ANSWER.model_dump())
    model = OnlineVision(client, call=CALL, items=ITEMS, detail="low")

    model.classify(b"\xff\xd8")
    assert picture_sent(client) == {"url": "data:image/jpeg;base64,/9g=", "detail": "low"}

    model.classify(b"\xff\xd8", "https://bucket/key?signature")
    assert picture_sent(client) == {"url": "https://bucket/key?signature", "detail": "low"}


@pytest.mark.parametrize(
    "change",
    [
        {"item": "../../etc/passwd"},
        {"item": "cardboard"},
        {"item": None},
        {"category": "wood"},
        {"state": "Clean"},
        {"confidence": 1.01},
        {"confidence": "0.9"},
        {"confidence": True},
        {"advice": "burn it"},
    ],
)
def test_the_schema_lets_nothing_else_through(change):
    with pytest.raises(ValueError, match="WasteAnswer"):
        OnlineVision(Client(ANSWER.model_dump() | change), call=CALL, items=ITEMS).classify(b"\xff\xd8")


def test_the_schema_is_what_strict_structured_output_takes():
    client = Client(ANSWER.model_dump())
    OnlineVision(client, call=CALL, items=ITEMS).classify(b"\xff\xd8")
    (_, _, schema, in_words) = client.asked[0]

    sent = schema.model_json_schema()
    assert sent["additionalProperties"] is False
    assert sent["required"] == list(sent["properties"]) == ["category", "item", "state", "confidence"]
    assert sent["properties"]["item"]["enum"] == ["general", "pet_bottle"]
    assert "description" not in sent, "our docstrings are no prompt"
    assert json.dumps(sent) in in_words


def test_the_fingerprint_changes_with_what_decides_an_answer(monkeypatch):
    def fingerprint(call=CALL, items=ITEMS, **options):
        return OnlineVision(Client({}), call=call, items=items, **options).fingerprint

    class Own(Client):
        own_address = "https://own/v1"

    variants = [
        fingerprint(),
        OnlineVision(Own({}), call=CALL, items=ITEMS).fingerprint,
        fingerprint(detail="low"),
        fingerprint(items=ITEMS[:1]),
        fingerprint(items=[ITEMS[0], ITEMS[1]._replace(ko="병")]),
        fingerprint(Call("gpt-5", 50, 1000, temperature=0.1)),
        fingerprint(Call("gpt-5", 50, 1000, reasoning_effort="low")),
    ]
    assert fingerprint(Call("gpt-5", 10, 500)) == variants[0], "limits decide whether there is an answer, not which"
    monkeypatch.setattr("growbin_jobs.ai.prompts.VISION_PROMPT_VERSION", "vision-next")
    variants.append(fingerprint())

    assert len(set(variants)) == len(variants)
    assert variants[-1].startswith("vision-next/")
