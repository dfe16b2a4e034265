"""The body of a request: the same document as json.dumps makes, whatever is in it."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm import body as module
from growbin_jobs.adapters.llm.body import encoded

JPEG = "data:image/jpeg;base64,"

#: Of control characters only those that a line of base64 may end with: pictures are encoded by this program.
printable = st.text(st.characters(min_codepoint=32) | st.sampled_from("\r\n\t"), max_size=30)

urls = st.one_of(
    st.binary(max_size=60).map(lambda data: JPEG + base64.b64encode(data).decode()),
    st.text(max_size=30),
    printable.map(lambda text: JPEG + text),
    st.just("https://growbin.example/a?b=c&d"),
)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=30)}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": urls}),
    st.fixed_dictionaries(
        {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": urls, "detail": st.just("high")})}
    ),
)
messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "user"]),
            "content": st.one_of(st.text(max_size=30), st.lists(parts, max_size=3)),
        }
    ),
    max_size=3,
)


@given(messages)
def test_it_is_the_same_document(messages):
    body = {"model": "m", "messages": messages, "store": False, "temperature": 0.5}
    assert json.loads(encoded(body)) == body


def test_what_it_is_given_stays_as_it_was():
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": JPEG + "AAAA"}}]}]}
    before = json.dumps(body)
    encoded(body)
    assert json.dumps(body) == before


@pytest.mark.parametrize("odd", ['"', "\\", "\n", "\r", "\t", "é", "종"])
def test_a_picture_that_is_no_base64_is_escaped(odd):
    url = f"{JPEG}AA{odd}AA"
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    assert json.loads(encoded(body)) == body


def test_many_pictures_keep_their_order():
    pictures = [f"{JPEG}{number:04}" for number in range(12)]
    content = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    assert (
        json.loads(encoded({"messages": [{"role": "user", "content": content}]}))["messages"][0]["content"] == content
    )


def test_a_body_without_a_picture_is_encoded_as_it_is(monkeypatch):
    monkeypatch.setattr(module, "_MARK", "text")  # as if a text had it
    body = {"model": "m", "messages": [{"role": "user", "content": "text0"}]}
    assert encoded(body) == json.dumps(body, separators=(",", ":")).encode()
