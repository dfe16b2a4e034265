"""Settings of money and of the limits of paid calls, for the whole cluster."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from growbin_jobs.engine.settings import LARGEST_COUNT, LONGEST_DAYS, LONGEST_SECONDS, Count, Seconds
from growbin_jobs.settings.kinds import Dollars, HomePath, Rates


class MoneySettings(BaseModel):
    """Part of :class:`growbin_jobs.settings.Settings`."""

    prices_file: HomePath | None = Field(
        default=None,
        description="File with your own prices of models, in the form of the one that is installed "
        "(`growbin_jobs/limits/prices.json`). Unset: that one.",
    )
    usage_days: Annotated[int, Field(ge=1, le=LONGEST_DAYS)] = Field(
        default=400,
        description="Days that single requests to models are kept (`llm_usage`); the sums of each day stay.",
    )
    budget_per_day: Dollars | None = Field(
        default=None,
        description="Dollars that all requests to models may cost in a day of GROWBIN_TIMEZONE; 0: nothing. "
        "`growbin-jobs budgets set total` wins over it. Unset: no limit.",
    )
    budget_per_user_day: Dollars | None = Field(
        default=None,
        description="Dollars that one user's requests may cost in a day. `growbin-jobs budgets set each-user` wins "
        "over it. Unset: no limit.",
    )
    budget_spent: Literal["defer", "refuse"] = Field(
        default="defer",
        description="What becomes of a message whose budget is spent: defer waits for the next day or a higher cap, "
        "refuse gives it up.",
    )
    unknown_price: Literal["warn", "refuse"] = Field(
        default="warn",
        description="What becomes of a request to a model without a price: warn sends it, in no budget and with "
        "unknown cost; refuse waits until it has one.",
    )

    vision_limit: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = Field(
        default=100, description="Most vision requests in any minute, of all nodes together. 0: no limit."
    )
    text_limit: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = Field(
        default=200, description="Most text requests in any minute, of all nodes together. 0: no limit."
    )
    limits: Rates = Field(
        default_factory=dict,
        description="More limits, separated by ',': NAME=RATE, such as project=500/min,model:gpt-6-luna=300/min,"
        "user:*=20/min,tokens:vision=200000/min. Units: s, min, h, day.",
    )
    limit_patience: Annotated[float, Field(gt=0, le=1500)] = Field(
        default=600.0,
        description="Seconds that a message keeps its worker thread while it waits for its turn under a limit. A "
        "longer wait is the queue's. RabbitMQ takes a message back after 30 minutes.",
    )
    limit_timeout: Seconds = Field(
        default=1.0,
        description="Seconds after which a central database that has not answered about a limit counts as away "
        "(PostgreSQL): paid calls wait.",
    )
    longest_retry_after: Annotated[float, Field(ge=1, le=31 * 86_400)] = Field(
        default=3600.0,
        description="Seconds that a model's server is obeyed at most when it asks to wait (Retry-After); then one "
        "request tries again. A wait of more than 31 days is no advice. `growbin-jobs breakers reset` ends one.",
    )
    backfill_tier: Literal["standard", "batch"] = Field(
        default="standard",
        description="Price tier of the pictures beyond GROWBIN_BULK_AFTER: standard asks for each by itself, batch "
        "collects them and has them answered within a day, at the price that `batch` has in the prices file.",
    )
    batch_requests: Annotated[int, Field(gt=0, le=50_000)] = Field(
        default=10_000, description="Most requests of one batch; OpenAI takes 50,000, and files of 200 MB."
    )
    batch_gather: Annotated[float, Field(ge=0, le=LONGEST_SECONDS)] = Field(
        default=300.0, description="Seconds that requests are gathered for a batch, from the first of them on."
    )
    batch_tokens: Annotated[int, Field(ge=0, le=1_000_000_000_000_000)] = Field(
        default=0,
        description="Most tokens, by estimate, of all batches that are at the server at once; more wait here. Servers "
        "limit that for each model. 0: no limit of ours.",
    )
    batch_poll: Seconds = Field(
        default=300.0,
        description="Seconds until the server is first asked how far a batch is; each pause is longer than the one "
        "before, up to 15 minutes.",
    )
    bulk_after: Count = Field(
        default=20,
        description="Analyses that one user may have under way; more pictures of that user wait in a queue of their "
        "own, behind everybody else's.",
    )
