"""Has a RabbitMQ node compute what ``rabbitmqctl`` would ask it for, which starts an Erlang system each time."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4


def evaluate(tool: Mapping[str, Any], erlang: str) -> str:
    """Return what an expression's value looks like.

    Parameters:
      tool: ``rabbitmqctl``, as ``scripts/services`` tells it.
      erlang: The expression, without its full stop.
    """
    env = tool["env"]
    cookie = Path(env["HOME"], ".erlang.cookie").read_text()
    # A node refuses a second one of the same name, and each erl_call without a name is called "c17".
    own = f"test-{uuid4().hex[:12]}"
    command = ["erl_call", "-sname", env["RABBITMQ_NODENAME"], "-h", own, "-c", cookie, "-e"]
    done = subprocess.run(command, env=env, input=f"{erlang}.\n", stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout.startswith("{ok, "), done.stdout
    return done.stdout.strip().removeprefix("{ok, ").removesuffix("}")


def close_connections(vhost: str) -> str:
    """Return the expression that ``rabbitmqctl close_all_connections`` has computed for a virtual host."""
    return (
        f'rabbit_connection_tracking_handler:close_connections(rabbit_connection_tracking:list(<<"{vhost}">>), "", 0)'
    )


def set_memory_limit(share: float) -> str:
    """Return the expression for a memory alarm (0.0), and for its end."""
    return f"vm_memory_monitor:set_vm_memory_high_watermark({share})"
