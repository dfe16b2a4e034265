"""Health checks with their states in the database: taken once, offline checkers, models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.stubs.agent_zoo import AgentZoo
from tests.whole import WHOLE

from growbin_jobs.adapters.llm.guards import ModelAway
from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.adapters.probing.public import networks
from growbin_jobs.errors import Deferred, NotFound, Permanent
from growbin_jobs.platform.health.agents import AgentHealth
from growbin_jobs.platform.health.checks import Checks
from growbin_jobs.platform.health.connectivity import Connectivity
from growbin_jobs.platform.health.models import ModelHealth
from growbin_jobs.platform.health.transitions import Policy
from growbin_jobs.platform.tables.health import BATCH, HealthTable, MaintenanceWindow
from growbin_jobs.platform.tables.registry import Agent, LlmModel, Registry

from .conftest import World

EVERY = timedelta(minutes=10)


@pytest.fixture
def zoo() -> Iterator[AgentZoo]:
    zoo = AgentZoo()
    yield zoo
    zoo.close()


class Clinic:
    """Checks of agents and models against the zoo."""

    def __init__(self, world: World, zoo: AgentZoo) -> None:
        self.world, self.zoo, self.online, self.traffic = world, zoo, True, set()
        self.table = HealthTable(world.database, clock=world.clock)
        self.registry = Registry(world.database)
        self.prober = Prober(allowed=networks(["127.0.0.0/8"]))
        self.paid: list[str] = []

    def agent(self, agent_id: str, path: str) -> None:
        row = {"id": agent_id, "name": agent_id, "endpoint": f"{self.zoo.url}{path}", "created_at": self.world.now}
        self.world.database.run(lambda connection: Agent.insert(row).execute(connection))

    def model(self, name: str, **fields) -> None:
        row = {
            "id": name, "name": name, "base_url": f"{self.zoo.url}/v1", "key_ref": "env:OPENAI_API_KEY",
            "key_host": "127.0.0.1", "paid_probe": 0, "created_at": self.world.now, **fields,
        }  # fmt: skip
        self.world.database.run(lambda connection: LlmModel.insert(row).execute(connection))

    def agents(self, seconds: float = 10) -> AgentHealth:
        return AgentHealth(
            self.registry.agent,
            lambda url, *, seconds: self.prober.send("GET", url, seconds=seconds),
            self.checks(seconds),
            Connectivity(["http://control"], lambda _: self.online, monotonic=lambda: 0.0),
            seconds=seconds,
        )

    def models(self) -> ModelHealth:
        def paid(model, planned, send):
            self.paid.append(f"{model.name} for {planned.purpose}")
            return send()

        return ModelHealth(
            self.registry.model,
            self.prober.send,
            self.checks(30),
            Connectivity(["http://control"], lambda _: self.online),
            succeeded_since=lambda model, since: model in self.traffic,
            key={"env:OPENAI_API_KEY": "sk-secret"}.__getitem__,
            paid=paid,
            every=EVERY,
            seconds=30,
            clock=self.world.clock,
        )

    def checks(self, seconds: float) -> Checks:
        return Checks(self.table, Policy(EVERY), seconds=seconds, clock=self.world.clock)

    def later(self, by: timedelta = EVERY) -> None:
        self.world.now += by


@pytest.fixture
def clinic(world: World, zoo: AgentZoo) -> Clinic:
    return Clinic(world, zoo)


def test_a_check_returns_what_it_found(clinic: Clinic) -> None:
    clinic.agent("1", "/ok")

    result = clinic.agents().check("1").as_dict("agent_id", 1)

    assert (result["agent_id"], result["status"], result["state"], result["http_status"]) == (
        1,
        "healthy",
        "healthy",
        200,
    )
    assert result["response_time_ms"] >= 0
    assert clinic.zoo.hits == {"/ok/health": 1}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/503", "unhealthy"), ("/redirect", "unhealthy"), ("/hang", "unreachable"), ("/reset", "unreachable")],
)
def test_the_statuses(clinic: Clinic, path: str, status: str) -> None:
    clinic.agent("1", path)

    checked = clinic.agents(seconds=0.3 if path == "/hang" else 10).check("1")

    assert checked.finding is not None
    assert checked.finding.status == status


def test_a_due_time_is_checked_once_and_a_late_message_not_at_all(clinic: Clinic) -> None:
    clinic.agent("1", "/ok")
    due, agents = clinic.world.now, clinic.agents()

    skipped = [agents.check("1", due=due, expires=due + EVERY).skipped for _ in range(2)]
    clinic.later(2 * EVERY)
    skipped.append(agents.check("1", due=due + EVERY, expires=due + EVERY).skipped)

    assert skipped == [None, "busy", "expired"]
    assert sum(clinic.zoo.hits.values()) == 1


def test_a_target_is_checked_by_one_at_a_time_and_taken_over_from_a_dead_checker(clinic: Clinic) -> None:
    assert clinic.table.claim("agent:1", due=None, lease=timedelta(seconds=30)) is not None
    assert clinic.table.claim("agent:1", due=None, lease=timedelta(seconds=30)) is None

    clinic.later(timedelta(seconds=31))

    assert clinic.table.claim("agent:1", due=None, lease=timedelta(seconds=30)) is not None


def test_an_interrupted_check_can_be_tried_again_and_no_earlier_one(clinic: Clinic) -> None:
    clinic.agent("1", "/ok")
    first, second = clinic.world.now, clinic.world.now + EVERY
    assert clinic.agents().check("1", due=first).skipped is None
    send = clinic.prober.send
    clinic.prober.send = lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        clinic.agents().check("1", due=second)
    clinic.prober.send = send

    skipped = [clinic.agents().check("1", due=due).skipped for due in (first, second)]

    assert skipped == ["busy", None]
    assert sum(clinic.zoo.hits.values()) == 2


def test_an_interrupted_check_does_not_let_go_of_a_target_that_another_one_has_taken(clinic: Clinic) -> None:
    lease = timedelta(seconds=30)
    interrupted = clinic.table.claim("agent:1", due=clinic.world.now, lease=lease)
    assert interrupted is not None
    clinic.later()
    assert clinic.table.claim("agent:1", due=clinic.world.now, lease=lease) is not None

    clinic.table.release(interrupted)

    [row] = clinic.table.states()
    assert (row["last_due"], row["busy_until"]) == (clinic.world.now, clinic.world.now + lease)


def test_a_restart_keeps_the_state_and_repeats_no_alert(clinic: Clinic) -> None:
    clinic.agent("1", "/503")
    for _ in range(6):
        clinic.agents().check("1")  # each time from new objects, as after a restart
        clinic.later()

    events = clinic.table.events("agent:1")

    assert [(each["after"], each["alert"]) for each in events] == [("unhealthy", 1)]
    assert clinic.table.states()[0]["failures"] == 6


def test_no_target_is_down_while_we_are_offline(clinic: Clinic) -> None:
    clinic.agent("1", "/hang")
    clinic.online = False
    for _ in range(4):
        assert clinic.agents(seconds=0.1).check("1").as_dict("agent_id", "1")["status"] == "unknown"
        clinic.later()
    assert clinic.table.events() == []

    clinic.online = True
    for _ in range(3):
        clinic.agents(seconds=0.1).check("1")
        clinic.later()
    assert [each["after"] for each in clinic.table.events()] == ["unreachable"]


def test_in_a_window_of_maintenance_nobody_is_told(clinic: Clinic) -> None:
    clinic.agent("1", "/503")
    window = {
        "id": "w", "target": "*", "zone": "UTC", "from_at": clinic.world.now, "until_at": clinic.world.now + 5 * EVERY,
    }  # fmt: skip
    clinic.world.database.run(lambda connection: MaintenanceWindow.insert(window).execute(connection))
    for _ in range(6):
        clinic.agents().check("1")
        clinic.later()

    assert [each["alert"] for each in clinic.table.events()] == [1, 0]


def test_an_agent_that_is_gone_is_said_so(clinic: Clinic) -> None:
    with pytest.raises(NotFound, match="no agent 7"):
        clinic.agents().check("7")


@pytest.mark.parametrize(
    ("http_status", "status"),
    [(200, "healthy"), (429, "healthy"), (401, "misconfigured"), (403, "misconfigured"), (400, "misconfigured"),
     (404, "misconfigured"), (500, "unhealthy")],
)  # fmt: skip
def test_a_model_is_asked_for_without_being_paid(clinic: Clinic, http_status: int, status: str) -> None:
    clinic.model("m1")
    clinic.zoo.models["m1"] = http_status

    checked = clinic.models().check("m1")

    assert checked.finding is not None
    assert checked.finding.status == status
    assert clinic.zoo.headers["authorization"] == "Bearer sk-secret"
    assert not clinic.zoo.hits["/v1/chat/completions"]
    assert "sk-secret" not in str(clinic.table.states())


def test_a_model_with_fresh_traffic_is_not_probed(clinic: Clinic) -> None:
    clinic.model("m1")
    clinic.traffic = {"m1"}

    checked = clinic.models().check("m1")

    assert checked.finding is not None
    assert (checked.finding.status, checked.finding.source) == ("healthy", "traffic")
    assert not clinic.zoo.hits


@pytest.mark.parametrize(("chat", "status"), [(200, "healthy"), (400, "misconfigured"), (500, "unhealthy")])
def test_a_paid_chat_is_sent_only_where_asked_for_and_through_the_gate(clinic: Clinic, chat: int, status: str) -> None:
    clinic.model("m1", paid_probe=1)
    clinic.zoo.models["m1"], clinic.zoo.chat = 200, chat

    checked = clinic.models().check("m1")

    assert checked.finding is not None
    assert (checked.finding.status, checked.finding.source) == (status, "paid probe")
    assert clinic.paid == ["m1 for probe"]


def test_a_gate_that_asks_to_wait_leaves_the_due_time_open(clinic: Clinic) -> None:
    clinic.model("m1", paid_probe=1)
    clinic.zoo.models["m1"] = 200
    full = clinic.models()
    full._paid = lambda *_: (_ for _ in ()).throw(Deferred("the limit is reached", wait=5))
    with pytest.raises(Deferred):
        full.check("m1", due=clinic.world.now)

    assert clinic.models().check("m1", due=clinic.world.now).skipped is None


@pytest.mark.parametrize(
    ("refusal", "status", "reason"),
    [
        (ModelAway("m1 fails", wait=60, reason="failed"), "unhealthy", "its breaker is open: failed"),
        (Permanent("model_quota_exhausted", detail="no price"), "healthy", "no paid probe"),
        (Deferred("The day's budget is spent.", wait=3600, pauses_queue=True), "healthy", "no paid probe: The day's"),
    ],
)
def test_a_gate_that_refuses_decides_what_is_known_without_a_paid_chat(
    clinic: Clinic, refusal: Exception, status: str, reason: str
) -> None:
    clinic.model("m1", paid_probe=1)
    clinic.zoo.models["m1"] = 200
    models = clinic.models()
    models._paid = lambda *_: (_ for _ in ()).throw(refusal)

    found = models.check("m1").finding

    assert found is not None
    assert (found.status, found.source) == (status, "probe")
    assert found.reason.startswith(reason)


def test_the_key_goes_to_no_other_host(clinic: Clinic) -> None:
    clinic.model("m1", key_host="api.openai.com")

    checked = clinic.models().check("m1")

    assert checked.finding is not None
    assert checked.finding.status == "misconfigured"
    assert not clinic.zoo.hits


def test_many_targets_are_claimed_by_few_statements_and_each_is_checked_once(clinic: Clinic) -> None:
    batches = 20 if WHOLE else 3
    table, due = clinic.table, clinic.world.now
    names = [f"agent:{number:05}" for number in range(batches * BATCH)]
    claims: list[int] = []

    class Counting(HealthTable):
        def _claim(self, connection, targets, due):
            claimed = super()._claim(connection, targets, due)
            claims.append(len(claimed))
            return claimed

    counting = Counting(clinic.world.database, clock=clinic.world.clock)
    assert counting.claim_all(names, due=due) == names
    assert claims == [BATCH] * batches

    begun = names[:: len(names) // 4]
    for target in begun:
        assert table.claim(target, due=due, lease=EVERY) is not None
        assert table.claim(target, due=due, lease=EVERY) is None
    assert set(names) - set(table.claim_all(names, due=due)) == set(begun), "its sender died: those that have not begun"
    assert table.claim_all(names[:600], due=due - EVERY) == [], "an older due time comes late"
    assert table.claim_all(names[:600], due=due + EVERY) == names[:600]
