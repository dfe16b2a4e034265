"""The language of a command's sentences."""

import pytest

from growbin_jobs.cli import person, target

VARIABLES = ("GROWBIN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.mark.parametrize(
    ("environment", "engine", "said"),
    [
        ({}, None, "ko"),
        ({"LANG": "C.UTF-8"}, None, "ko"),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, None, "ko"),
        ({"LANG": "en_US.UTF-8"}, None, "en"),
        ({"LANG": "pt_BR"}, None, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": ""}, None, "ko"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "ko_KR.eucKR"}, None, "ko"),
        ({"GROWBIN_LANGUAGE": "ko", "LANG": "en_US.UTF-8"}, None, "ko"),
        ({"GROWBIN_LANGUAGE": "en", "LANG": "ko_KR.UTF-8"}, None, "en"),
        ({"LANG": "C.UTF-8"}, "shop", "en"),
        ({"LANG": "ko_KR.UTF-8"}, "shop", "ko"),
        ({"GROWBIN_LANGUAGE": "ko", "LANG": "C.UTF-8"}, "shop", "ko"),
    ],
)
def test_a_person_reads_the_language_of_the_setting_or_of_the_terminal(
    environment: dict[str, str], engine: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(target, "_chosen", engine)
    assert person.language() == said


def test_a_program_reads_the_same_language_in_each_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROWBIN_LANGUAGE", raising=False)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert person.language(of_terminal=False) == "ko"
    monkeypatch.setattr(target, "_chosen", "shop")
    assert person.language(of_terminal=False) == "en"
