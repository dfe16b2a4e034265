"""What people see of paid calls says the same in both languages."""

import re

import pytest

from growbin_jobs.cli import paid_words


@pytest.mark.parametrize("key", sorted(paid_words._WORDS))
def test_both_languages_name_the_same_things(key):
    words = paid_words._WORDS[key]

    placeholders = {language: sorted(re.findall(r"{(\w+)}", text)) for language, text in words.items()}
    assert set(words) == {"en", "ko"}
    assert placeholders["en"] == placeholders["ko"]


def test_a_command_answers_in_the_language_of_the_settings(invoke):
    assert "제한이 없습니다" in invoke("limits", "list").stderr
    assert invoke("budgets", "set", "total", "5").stdout == "total: 하루 5.0000 USD\n"
