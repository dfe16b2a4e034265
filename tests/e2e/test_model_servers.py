"""The whole pipeline with each kind of model server: one set of workers, whose server is one kind after the other."""

import json

import pytest

from growbin_jobs.states import AnalysisStatus

#: Each of some twenty kinds makes its workers learn; a slow machine takes more than the usual two minutes.
pytestmark = pytest.mark.timeout(400)


def told(stack, *command: str) -> list[dict]:
    """What the command line says as JSON."""
    done = stack.run(*command, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_kind_of_server_serves_the_pipeline_and_what_it_says_reaches_the_operator(
    any_server, model_servers, photos
):
    stack, stub = any_server
    ids = stack.submit(photos[: len(model_servers.KINDS)])
    stack.start(threads=2, greenlets=False)

    done = stack.wait(list(ids), timeout=180)

    assert {(one.status, one.response_source) for one in done.values()} == {(AnalysisStatus.COMPLETED, "model")}
    assert set(stub.images.values()) == {1}, "an answer is paid for once, whatever was refused before it"
    [learnt] = told(stack, "models", "servers")
    assert (learnt["url"], learnt["model"]) == (stub.url, "m")
    assert {"store", "max_completion_tokens"} <= learnt["refused"].keys()

    stub.event("key", 50)
    [waiting] = stack.submit([photos[20]])
    stack.await_log("ai", "breaker.needs_operator")
    [breaker] = [one for one in told(stack, "breakers", "list") if one["state"] == "operator"]
    assert "Incorrect API key provided" in breaker["said"]
    assert "OPENAI_API_KEY" in breaker["remedy"]

    stub.event("key", 0)
    told(stack, "breakers", "reset", breaker["name"])
    [analysis] = stack.wait([waiting], timeout=120).values()
    assert analysis.status == AnalysisStatus.COMPLETED
    assert stack.stop() == {"storage": 0, "ai": 0}
    assert stub.key not in stack.log("ai")
