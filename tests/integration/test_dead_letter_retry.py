"""A message that was given up, sent again by a person: it runs once more, on the node that saw it die."""

from collections.abc import Callable
from typing import Any


def test_a_dead_letter_that_is_retried_runs_again_and_ends_well(start_product: Callable[..., Any]) -> None:
    product = start_product()
    product.broken.touch()
    message_id = product.send("once")
    product.until(lambda: product.status(message_id) == "dead", "it is given up")
    [letter] = product.command("dead", "list")
    assert (letter["task_id"], letter["code"]) == (message_id, "request_invalid")

    product.broken.unlink()
    assert product.command("dead", "retry", str(letter["id"])) == [{"retried": 1, "failed": 0}]

    product.until(lambda: product.status(message_id) == "completed", "it ends well")
    assert product.runs.read_text() == "once\nonce\n"
    assert product.command("dead", "list") == []
