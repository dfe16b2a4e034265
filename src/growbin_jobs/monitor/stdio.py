"""The transport by lines: one message a line, for a program that starts ``growbin-jobs mcp`` and talks to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import TextIO

from growbin_jobs.monitor.api.mcp.answering import answered
from growbin_jobs.monitor.api.mcp.asking import Asker
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.people import Grant, Identity
from growbin_jobs.monitor.services import Services


def serve(services: Services, name: str, grant: Grant, lines: Iterable[str], out: TextIO) -> None:
    """Answer messages until there are no more.

    Parameters:
      name, grant: Who asks, as the audit will say, and what they may see.
      lines: Of the client.
      out: Where answers go; nothing else may be written there.
    """
    app = make_app(MonitorConfig(read_only=True, language=services.settings.language), services)
    asker = Asker(Identity(name=name, grant=grant, kind="mcp"))
    with asyncio.Runner() as runner:
        for line in lines:
            if not line.strip():
                continue
            answer = runner.run(answered(app, asker, line))
            if answer is not None:
                print(json.dumps(answer, ensure_ascii=True), file=out, flush=True)
