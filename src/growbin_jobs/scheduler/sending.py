"""The message of a due time: sent by the actor's name, under the id that the ledger has for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from dramatiq import Message

from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.groups import Route
from growbin_jobs.scheduler.claims import Claim


def message_of(claim: Claim, route: Route) -> Message[Any]:
    """Return the message of a due time.

    Its arguments are ``due``, and ``since`` and ``until`` of the data that it is about, in ISO 8601 and UTC: an actor
    never asks what day it is.
    """
    message = message_for(route, due=_text(claim.due), since=_text(claim.since), until=_text(claim.until))
    return replace(message, message_id=claim.message_id)


def _text(moment: datetime) -> str:
    return moment.isoformat()
