"""The examples of docs/testing.md do what the page says."""

import re
import sys
from pathlib import Path
from types import ModuleType

import dramatiq
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """All blocks of the page as one module, as a reader would put them into one file."""
    from growbin_jobs.app import broker

    declared, set_before = dict(broker.actors), dramatiq.broker.global_broker
    module = ModuleType("testing_page")
    sys.modules[module.__name__] = module
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    dramatiq.set_broker(broker)
    exec(compile(code, PAGE.name, "exec"), vars(module))
    yield module
    dramatiq.set_broker(set_before)
    broker.actors.clear()
    broker.actors.update(declared)
    del sys.modules[module.__name__]


TESTS = re.findall(r"^def (test_\w+)", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", TESTS)
def test_the_examples_do_what_the_page_says(examples, name):
    getattr(examples, name)()


def test_there_are_examples():
    assert len(TESTS) >= 5
