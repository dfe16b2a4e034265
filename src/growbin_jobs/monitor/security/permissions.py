"""What may be done in the monitor, and by whom: one table. Every route names its action; the server asks here."""

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from growbin_jobs.monitor.people import Identity, Role
from growbin_jobs.monitor.security.identify import identity_of
from growbin_jobs.monitor.security.refusals import Forbidden, OfAnotherEngine, SignInNeeded
from growbin_jobs.monitor.services import Part


class Action(StrEnum):
    """Everything that a route can do."""

    # without an identity
    PROBE = "probe"
    SIGN_IN = "sign_in"
    # reading
    SEE_STATE = "see_state"
    SEE_ANALYSES = "see_analyses"
    SEE_SCHEDULE = "see_schedule"
    SEE_PLATFORM = "see_platform"
    SEE_WEBHOOKS = "see_webhooks"
    SEE_MONEY = "see_money"
    SEE_PAYLOADS = "see_payloads"
    SEE_PERSONAL_DATA = "see_personal_data"
    SEE_PHOTOS = "see_photos"
    SEE_AUDIT = "see_audit"
    SEE_ACCESS = "see_access"
    EXPORT = "export"
    PROVE = "prove"
    # one's own account
    SIGN_OUT = "sign_out"
    CHOOSE = "choose"
    # changing
    RETRY = "retry"
    RUN_AGAIN = "run_again"
    EDIT_AND_RUN = "edit_and_run"
    SEND = "send"
    BULK = "bulk"
    DISCARD = "discard"
    PAUSE = "pause"
    REVOKE = "revoke"
    ABORT = "abort"
    CHANGE_LIMITS = "change_limits"
    RESET_BREAKER = "reset_breaker"
    CANCEL_BATCH = "cancel_batch"
    RUN_SCHEDULE = "run_schedule"
    CONTROL_WORKERS = "control_workers"
    CHANGE_ACCESS = "change_access"
    CHANGE_WEBHOOKS = "change_webhooks"


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do an action.

    Attributes:
      role: The least role; None: everybody, without an identity too.
      personal: Only with the right to see personal data.
      changes: It changes something: refused in a read-only monitor, and never by GET.
      own: It changes what is the asker's own, such as the language: allowed in a read-only monitor.
      of: What the engine must have, so that there is such a thing.
    """

    role: Role | None
    personal: bool = False
    changes: bool = False
    own: bool = False
    of: Part = Part.TASKS


_VIEWER, _OPERATOR, _ADMIN = Role.VIEWER, Role.OPERATOR, Role.ADMIN

PERMISSIONS: Final[dict[Action, Permission]] = {
    Action.PROBE: Permission(None),
    Action.SIGN_IN: Permission(None, own=True),
    Action.SIGN_OUT: Permission(None, own=True),
    Action.CHOOSE: Permission(None, own=True),
    Action.SEE_STATE: Permission(_VIEWER),
    Action.SEE_ANALYSES: Permission(_VIEWER, of=Part.GROWBIN),
    Action.SEE_SCHEDULE: Permission(_VIEWER, of=Part.SCHEDULE),
    Action.SEE_PLATFORM: Permission(_VIEWER, of=Part.GROWBIN),
    Action.SEE_WEBHOOKS: Permission(_VIEWER, of=Part.GROWBIN),
    Action.SEE_MONEY: Permission(_VIEWER, of=Part.GROWBIN),
    Action.PROVE: Permission(_VIEWER),
    Action.SEE_PAYLOADS: Permission(_VIEWER, personal=True),
    Action.SEE_PERSONAL_DATA: Permission(_VIEWER, personal=True),
    Action.SEE_PHOTOS: Permission(_VIEWER, personal=True, of=Part.GROWBIN),
    Action.EXPORT: Permission(_OPERATOR, personal=True),
    Action.SEE_AUDIT: Permission(_ADMIN),
    Action.SEE_ACCESS: Permission(_ADMIN),
    Action.RETRY: Permission(_OPERATOR, changes=True),
    Action.RUN_AGAIN: Permission(_OPERATOR, changes=True),
    Action.EDIT_AND_RUN: Permission(_OPERATOR, personal=True, changes=True),
    Action.SEND: Permission(_OPERATOR, changes=True),
    Action.BULK: Permission(_OPERATOR, changes=True),
    Action.DISCARD: Permission(_OPERATOR, changes=True),
    Action.PAUSE: Permission(_OPERATOR, changes=True),
    Action.REVOKE: Permission(_OPERATOR, changes=True),
    Action.ABORT: Permission(_OPERATOR, changes=True),
    Action.RESET_BREAKER: Permission(_OPERATOR, changes=True, of=Part.GROWBIN),
    Action.CANCEL_BATCH: Permission(_OPERATOR, changes=True, of=Part.GROWBIN),
    Action.RUN_SCHEDULE: Permission(_OPERATOR, changes=True, of=Part.SCHEDULE),
    Action.CHANGE_LIMITS: Permission(_ADMIN, changes=True, of=Part.GROWBIN),
    Action.CONTROL_WORKERS: Permission(_ADMIN, changes=True),
    Action.CHANGE_ACCESS: Permission(_ADMIN, changes=True),
    Action.CHANGE_WEBHOOKS: Permission(_ADMIN, changes=True, of=Part.GROWBIN),
}


def allows(
    action: Action, identity: Identity | None, *, read_only: bool = False, parts: Container[Part] = tuple(Part)
) -> bool:
    """Return whether somebody may do an action.

    Parameters:
      action: What.
      identity: Who; None: somebody who has not signed in.
      read_only: Nothing can be changed in this monitor.
      parts: What the engine has.
    """
    permission = PERMISSIONS[action]
    if (permission.changes and read_only) or permission.of not in parts:
        return False
    if permission.role is None:
        return True
    if identity is None or identity.role < permission.role:
        return False
    return identity.grant.personal or not permission.personal


class Requirement:
    """The dependency that a route has; :func:`require` makes it.

    Attributes:
      action: What the route does.
    """

    def __init__(self, action: Action) -> None:
        self.action = action

    def __call__(self, request: Request) -> Identity | None:
        """Return who asks.

        Raises:
          SignInNeeded: Nobody that we know, and the action needs somebody.
          Forbidden: They may not.
          OfAnotherEngine: This monitor is of an engine that has no such thing.
        """
        identity = identity_of(request)
        if PERMISSIONS[self.action].of not in request.app.state.services.parts:
            if identity is None:
                raise SignInNeeded
            raise OfAnotherEngine
        if allows(self.action, identity, read_only=request.app.state.config.read_only):
            return identity
        permission = PERMISSIONS[self.action]
        if identity is None and not (permission.changes and request.app.state.config.read_only):
            raise SignInNeeded
        raise Forbidden(self.action, read_only=permission.changes and request.app.state.config.read_only)


def require(action: Action) -> Any:
    """Return the dependency that every route must have: ``dependencies=[require(Action.SEE_STATE)]``.

    It gives the :class:`Identity`, too: ``person: Annotated[Identity, require(Action.RETRY)]``.

    Parameters:
      action: What the route does.
    """
    return Depends(Requirement(action))


def required(dependency: Dependency) -> Action | None:
    """Return the action of a dependency that :func:`require` made; None for another one."""
    return dependency.dependency.action if isinstance(dependency.dependency, Requirement) else None
