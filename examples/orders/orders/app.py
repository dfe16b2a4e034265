"""The service's engine: two groups of workers, and reasons of its own for giving up."""

from growbin_jobs.engine import Engine, EngineConfig, Group
from orders.settings import Settings

settings = Settings.load()

GROUPS = (
    Group(name="orders", module="orders.jobs", queues=("orders",), processes=1, threads=8),
    # Few at once: mail servers turn down those who open many connections.
    Group(name="mail", module="orders.jobs", queues=("mail",), processes=1, threads=2, prefetch_factor=1),
)

engine = Engine(
    EngineConfig(**settings.engine_values(), source="orders.app:engine", version="1.0", groups=GROUPS)
).install()

engine.register_reasons(
    {
        "item_unknown": {"en": "We do not sell {item}.", "ko": "{item}은(는) 판매하지 않습니다."},
        "mail_refused": {
            "en": "The mail server refuses the message for good (code {status}).",
            "ko": "메일 서버가 메일을 거절했습니다({status}).",
        },
    }
)
