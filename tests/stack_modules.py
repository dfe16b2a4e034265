"""What processes of whole stacks share, with all kinds of servers: one process has it loaded for a run."""

from tests import command_line

from growbin_jobs import settings
from growbin_jobs.cli.shared_modules import modules_of_growbin

STACK_MODULES = (
    "growbin_jobs.engine.node.output", "growbin_jobs.engine.broker.rabbitmq.broker",
    "growbin_jobs.engine.broker.embedded.broker", "growbin_jobs.engine.central.postgres",
    "growbin_jobs.engine.central.sqlite",
    *modules_of_growbin(settings.load(openai_api_key="sk-any"), scheduler=True),
)  # fmt: skip

command_line.SHARED.add(STACK_MODULES)
