"""One process of ``scripts/bench gate-proof``: threads that ask a model server as often as the limits let them.

The requests are those of the pipeline, through the guards and the ledger that the workers use.
"""

import argparse
import threading
from collections.abc import Callable

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.adapters.pictures import shrink
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.model_clients import model_client, usage_ledger
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import OnlineText
from growbin_jobs.ai.vision import OnlineVision
from growbin_jobs.errors import GrowbinError
from growbin_jobs.rates import Rate
from growbin_jobs.samples import sample_pictures
from growbin_jobs.wiring import central_database

MODEL = "gpt-6-luna"


def main() -> None:
    """Ask until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--vision", type=int, default=100)
    parser.add_argument("--text", type=int, default=200)
    parser.add_argument("--window", type=float, default=60.0)
    options = parser.parse_args()
    rates = {"vision": Rate(options.vision, options.window), "text": Rate(options.text, options.window)}
    settings = _settings.load(limits=rates, vision_limit=0, text_limit=0, limit_timeout=5.0)
    client = model_client(settings, usage_ledger(settings, central_database(settings)))
    work = _work(client)
    for number in range(options.threads):
        threading.Thread(target=_again_and_again, args=(work[number % len(work)],), daemon=True).start()
    print("asks", flush=True)  # gate_cluster.ASKS, which is not imported here: it loads the stub
    threading.Event().wait()


def _work(client: ModelClient) -> list[Callable[[], object]]:
    rules = load_rules(rules_folder(None))
    items = [KnownItem(rule.item, rule.name.ko, rule.name.en) for rule in rules.values()]
    picture = shrink(sample_pictures()[0].read_bytes(), side=64)
    look = Call(MODEL, timeout=50.0, max_tokens=1000, purpose="vision")
    phrase = Call(MODEL, timeout=25.0, max_tokens=800, purpose="text")
    vision, text = OnlineVision(client, call=look, items=items), OnlineText(client, call=phrase)
    return [lambda: vision.classify(picture), lambda: text.compose(rules["general"], None, "ko")]


def _again_and_again(ask: Callable[[], object]) -> None:
    pause = threading.Event()
    while True:
        try:
            ask()
        except GrowbinError:
            pause.wait(0.5)  # the message would come back


if __name__ == "__main__":
    main()
