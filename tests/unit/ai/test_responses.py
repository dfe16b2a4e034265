import pytest

from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.responses import LONGEST_ADVICE, CachedTextModel, OnlineText, checked, text_key
from growbin_jobs.errors import Transient
from growbin_jobs.messages import Advice, Rule, RuleSource, Text, VisionAnswer

RULE = Rule(
    item="pet_bottle",
    name=Text(ko="페트병", en="PET bottle"),
    category="plastic",
    disposal_method=Text(ko="투명 페트병 수거함", en="Clear PET bin"),
    rules=[Text(ko="비워요. 문의는 02-1234-5678.", en="Empty it.")],
    source=RuleSource(title="t", publisher="p", url="https://www.gov.example/guide", checked="2026-11-01"),
)


class Client:
    def __init__(self, answer):
        self.answer = answer

    def ask_text(self, call, messages, *, check):
        return Completion(check(self.answer), "gpt-4o-mini-2024-07-18", None, None)


def test_the_models_words_are_marked_as_the_models():
    model = OnlineText(Client("  페트병은 비우고 헹궈 주세요.\r\n고마워요 🙏 "), call=Call("gpt-4o-mini", 25, 800))

    advice = model.compose(RULE, None, "ko")

    assert advice.text == "페트병은 비우고 헹궈 주세요.\n고마워요 🙏"
    assert (advice.source, advice.model, advice.language) == ("model", "gpt-4o-mini", "ko")


@pytest.mark.parametrize(
    "text",
    [
        "페트병은 비워 주세요.\n1. 라벨을 떼요.\n2. 찌그러뜨려요.",
        "자세한 내용은 https://www.gov.example/guide. 문의는 02-1234-5678!",
        "e.g. 투명 PET병은 오전 9시부터 3.5kg까지 배출해요. 👩‍🔧",
    ],
)
def test_good_advice_passes(text):
    assert checked(text, RULE, "ko") == text


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("가" * (LONGEST_ADVICE + 1), "longer"),
        ("비워\x00 주세요", "control"),
        ("비워\x1b[31m 주세요", "control"),
        ("비워 \u202e주세요", "markup"),
        ("비워 <script>alert(1)</script> 주세요", "markup"),
        ("자세한 내용은 https://evil.example/x 에서 보세요", "address"),
        ("자세한 내용은 evil-site.co.kr에서 보세요", "address"),
        ("문의는 02-9999-0000으로 해 주세요", "number"),
        ("Please empty the bottle.", "language"),
    ],
)
def test_bad_advice_is_refused_and_not_quoted(text, wrong):
    with pytest.raises(Transient, match=wrong) as raised:
        checked(text, RULE, "ko")

    assert raised.value.max_retries == 1
    assert "evil" not in str(raised.value)


def test_korean_is_refused_where_english_was_asked_for():
    with pytest.raises(Transient, match="language"):
        checked("페트병을 비워 주세요.", RULE, "en")

    assert checked("Empty the 페트병 (PET bottle).", RULE, "en")


# --- not paying twice

CLEAN = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.9)
OTHER_RULE = RULE.model_copy(update={"rules": [Text(ko="버려요.", en="Throw it away.")]})


class Texts:
    def __init__(self):
        self.asked = 0

    def compose(self, rule, vision, language):
        self.asked += 1
        return Advice(text=f"advice {self.asked}", language=language, source="model", model="m")


class Store(dict):
    def put(self, key, *, prompt, response, model):
        self[key] = response


@pytest.mark.parametrize(
    ("rule", "vision", "language", "asked"),
    [
        (RULE, CLEAN, "ko", 1),
        (OTHER_RULE, CLEAN, "ko", 2),
        (RULE, CLEAN.model_copy(update={"state": "dirty"}), "ko", 2),
        (RULE, None, "ko", 2),
        (RULE, CLEAN, "en", 2),
    ],
)
def test_only_the_same_question_gets_the_kept_advice(rule, vision, language, asked):
    texts = Texts()
    model = CachedTextModel(texts, Answers(Advice, Store(), patience=10), model="m", fingerprint="text-1/m")
    model.compose(RULE, CLEAN, "ko")
    model.compose(rule, vision, language)

    assert texts.asked == asked


def test_the_fingerprint_changes_with_what_decides_an_answer(monkeypatch):
    class Client:
        own_address = None

    usual = Call("m", 25, 800)

    def fingerprint(call=usual, client=Client):
        return OnlineText(client, call=call).fingerprint

    variants = [
        fingerprint(),
        fingerprint(Call("m-2", 25, 800)),
        fingerprint(Call("m", 25, 800, temperature=0.1)),
        fingerprint(Call("m", 25, 800, reasoning_effort="low")),
        fingerprint(client=type("Other", (), {"own_address": "https://two/v1"})),
    ]
    assert fingerprint(Call("m", 10, 500)) == variants[0], "limits decide whether there is an answer, not which"
    monkeypatch.setattr("growbin_jobs.ai.prompts.TEXT_PROMPT_VERSION", "text-next")
    variants.append(fingerprint())

    assert len(set(variants)) == len(variants)
    assert len({text_key(variant, RULE, CLEAN, "ko") for variant in variants}) == len(variants)
