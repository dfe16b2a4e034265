import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.wrapping import unwrapped

ANSWER = '{"item": "can"}'


@pytest.mark.parametrize(
    "content",
    [
        ANSWER,
        f"  {ANSWER}\n",
        f"\ufeff{ANSWER}",
        f"```json\n{ANSWER}\n```",
        f"```\n{ANSWER}\n```",
        f"```JSON\r\n{ANSWER}\r\n```\n",
        f"<think>Is it a can? ```maybe```</think>\n\n{ANSWER}",
        f"<think>\n</think>```json\n{ANSWER}\n```",
        f"It looks like a can.\n</think>\n{ANSWER}",  # the opening tag was part of the prompt
        f"<thinking>A {{draft}}?</thinking>{ANSWER}",
        f"[THINK]Is it {ANSWER}?[/THINK]{ANSWER}",
        f"<seed:think>no</seed:think>{ANSWER}",
        f"<|channel|>analysis<|message|>{ANSWER}?<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
        f"<|begin_of_box|>{ANSWER}<|end_of_box|>",
        f"{ANSWER}<|im_end|>\n</s>",
        [ANSWER[:5], ANSWER[5:]],
        {"type": "text", "text": ANSWER},
        [{"type": "text", "text": ANSWER}],
        [{"type": "text", "text": '{"item":'}, {"type": "text", "text": ' "can"}'}],
        [{"type": "reasoning", "summary": []}, {"type": "text", "text": f"\ufeff```json\n{ANSWER}\n```"}],
    ],
)
def test_the_answer_is_found_in_every_wrapping(content):
    assert unwrapped(content) == ANSWER


@pytest.mark.parametrize(
    "content", [None, "", " \n", [], [None], [{"type": "image"}], {}, 5, "<think>and on, and on", "[THINK]and on"]
)
def test_where_there_is_no_answer_there_is_no_text(content):
    assert unwrapped(content) == ""


@pytest.mark.parametrize(
    "content",
    [
        "Here it is:\n```json\n{}\n```",
        f"{ANSWER} </think",
        "Say <think> and </think> in a text",
        "a ``` b",
        "```inline```",
        "<b>bold</b>",
        "a <|b|> c",
    ],
)
def test_nothing_is_taken_off_that_is_part_of_a_text(content):
    assert unwrapped(content) == content


@pytest.mark.parametrize("text", ["</s>" * 90_000, "a" + " " * 400_000 + "b", "<think>" * 50_000, "<|a|>" * 80_000])
def test_a_long_answer_takes_steps_in_proportion_to_its_length(text):
    assert len(unwrapped(text)) <= len(text)  # in a square of it this would take minutes


@given(st.text() | st.lists(st.text() | st.dictionaries(st.sampled_from(["type", "text"]), st.text())))
def test_it_is_taken_off_once_and_never_fails(content):
    assert unwrapped(content) == unwrapped(content).strip()
