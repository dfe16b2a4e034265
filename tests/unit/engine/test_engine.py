"""An engine is a value: two in one process, each with its own broker, journal, actors and middleware."""

import subprocess
import sys
from types import ModuleType

import dramatiq
import pytest
from dramatiq import Middleware, Worker, group
from dramatiq.rate_limits import ConcurrentRateLimiter

from growbin_jobs.engine import ConfigurationError, Deferred, Engine, EngineConfig, Group, Permanent
from growbin_jobs.engine.actors import ActorSpec
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.engine import find_engine
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.middleware.retries import Retries
from growbin_jobs.engine.reasons import REASONS


def make(folder, **values):
    return Engine(EngineConfig(data_dir=folder, node="n1", journal_free_floor=1, **values))


def work(engine, *queues):
    worker = Worker(engine.broker, worker_threads=2)
    worker.start()
    for queue in queues:
        engine.broker.join(queue, timeout=20_000)
    worker.stop()


def test_two_engines_in_one_process_do_not_meet(tmp_path):
    engines = [make(tmp_path / name) for name in ("a", "b")]
    ran = []

    for each in engines:

        @each.actor(actor_name="note", queue_name="notes")
        def note(word, where=each.config.data_dir.name):
            ran.append((where, word))

    first, second = (each.broker.get_actor("note") for each in engines)
    first.send("one")
    second.send("two")

    work(engines[0], "notes")
    assert ran == [("a", "one")]
    work(engines[1], "notes")
    assert ran == [("a", "one"), ("b", "two")]
    assert engines[0].journal.path != engines[1].journal.path


def test_what_one_engine_s_actor_sends_to_the_other_s_arrives(tmp_path):
    a, b = make(tmp_path / "a"), make(tmp_path / "b")
    ran = []

    @b.actor(queue_name="second")
    def follow(n):
        ran.append(n)

    @a.actor(queue_name="first")
    def begin(n):
        follow.send(n + 1)

    begin.send(1)
    work(a, "first")
    work(b, "second")

    assert ran == [2]


def test_only_install_tells_dramatiq(tmp_path):
    before = dramatiq.broker.global_broker
    try:
        engine = make(tmp_path)
        assert dramatiq.broker.global_broker is before

        assert engine.install() is engine
        assert dramatiq.get_broker() is engine.broker
    finally:
        dramatiq.set_broker(before)


def test_making_an_engine_touches_no_file(tmp_path):
    make(tmp_path / "data")

    assert list(tmp_path.iterdir()) == []


def test_a_row_of_a_table_declares_an_actor(tmp_path):
    engine = make(tmp_path)
    route = Route("pay", "money")
    spec = ActorSpec(route=route, group="bank", max_retries=7, min_backoff=2.0, time_limit=9.0)

    @engine.declare(spec)
    def pay():
        """There for its options."""

    assert (pay.actor_name, pay.queue_name, pay.options["max_retries"]) == ("pay", "money", 7)
    assert pay.broker is engine.broker


class Own(Middleware):
    pass


@pytest.mark.parametrize("place", [Retries, "Retries"])
def test_own_middleware_stands_where_it_is_put(tmp_path, place):
    before, after = make(tmp_path), make(tmp_path)

    before.add_middleware(Own(), before=place)
    after.add_middleware(Own(), after=place)

    names = [[type(each).__name__ for each in engine.broker.middleware] for engine in (before, after)]
    assert names[0].index("Own") + 1 == names[0].index("Retries")
    assert names[1].index("Own") - 1 == names[1].index("Retries")


def test_a_place_that_does_not_exist_is_refused_with_those_that_do(tmp_path):
    with pytest.raises(ValueError, match=r"no middleware 'Retry'.*Retries"):
        make(tmp_path).add_middleware(Own(), before="Retry")


def test_own_reasons_are_given_up_with(tmp_path, request):
    engine = make(tmp_path)
    request.addfinalizer(lambda: REASONS.pop("test_order_gone"))  # another test compares all with their page
    engine.register_reasons({"test_order_gone": {"en": "There is no order {order}.", "ko": "{order}"}})

    assert str(Permanent("test_order_gone", order=5)) == "There is no order 5."
    with pytest.raises(ValueError, match="registered already"):
        engine.register_reasons({"test_order_gone": {"en": "Gone.", "ko": "Gone."}})


def test_groups_default_to_one_of_all_queues(tmp_path):
    engine = make(tmp_path, source="orders.jobs:engine")
    engine.actor(lambda: None, actor_name="a", queue_name="q2")
    engine.actor(lambda: None, actor_name="b", queue_name="q1")

    assert engine.groups == (Group(name="worker", module="orders.jobs", queues=("q1", "q2")),)


def test_own_groups_run_the_engine_s_module_unless_they_say_otherwise(tmp_path):
    groups = (Group(name="mail", queues=("mail",)), Group(name="pdf", queues=("pdf",), module="orders.pdf"))

    assert [group.module for group in make(tmp_path, source="orders.jobs:e", groups=groups).groups] == [
        "orders.jobs",
        "orders.pdf",
    ]


MODULE = """
from pathlib import Path
from growbin_jobs.engine import Engine, EngineConfig
mine = Engine(EngineConfig(data_dir=Path({folder!r})))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    name = f"app_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(folder=str(tmp_path / "data")))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_an_engine_is_found_by_its_module_and_knows_its_own_name(module):
    engine = find_engine(module)

    assert engine is find_engine(f"{module}:mine")
    assert engine.source == f"{module}:mine"


def test_dramatiq_forks_the_keeper_by_that_name(module):
    engine = find_engine(module)

    [fork] = [fork for middleware in engine.broker.middleware for fork in middleware.forks]

    assert fork.source == f"{module}:mine"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no.such.module", "There is no module 'no.such.module'"),
        ("json", "has no engines"),
        ("json:dumps", "has no engines"),
        ("json:nothing", "has no engines"),
    ],
)
def test_what_is_no_engine_is_said(name, words):
    with pytest.raises(ConfigurationError, match=words):
        find_engine(name)


def test_a_module_that_lacks_something_else_says_so_itself(tmp_path, monkeypatch):
    (tmp_path / "app_that_lacks.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        find_engine("app_that_lacks")


def test_the_environment_is_read_under_the_prefix(monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ORDERS_NODE", "n7")
    monkeypatch.setenv("ORDERS_WORKER_TYPE", "mail")
    monkeypatch.setenv("ORDERS_BROKER_URL", "amqp://u:p@h/")
    monkeypatch.setenv("GROWBIN_SYNC_BATCH", "1")
    monkeypatch.setenv("ORDERS_SYNC_INTERVAL", "")

    config = EngineConfig.from_env("ORDERS_", relay_after=1.0, version="3")

    assert (config.data_dir, config.node, config.group, config.broker_url) == (tmp_path, "n7", "mail", "amqp://u:p@h/")
    assert (config.sync_batch, config.sync_interval, config.relay_after, config.version) == (5000, 0.5, 1.0, "3")
    assert "u:p" not in repr(config)


def test_a_wrong_variable_is_named_with_the_prefix(monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERS_BROKER_URL", "redis://here")
    monkeypatch.setenv("ORDERS_DATA_DIR", str(tmp_path))

    with pytest.raises(ConfigurationError, match="ORDERS_BROKER_URL must start with amqp"):
        EngineConfig.from_env("ORDERS_")
    monkeypatch.setenv("ORDERS_SYNC_BATCH", "many")
    with pytest.raises(ConfigurationError, match="ORDERS_SYNC_BATCH: "):
        EngineConfig.from_env("ORDERS_")


@pytest.mark.parametrize("node", ["", ".", "..", "../../x", "a/b", "a\0b"])
def test_a_node_s_name_stays_in_the_data_folder(tmp_path, node):
    with pytest.raises(ConfigurationError, match="Choose another node"):
        EngineConfig(data_dir=tmp_path, node=node)


def test_importing_the_face_loads_no_broker():
    code = (
        "import sys; import growbin_jobs.engine; print(*[m for m in ('dramatiq', 'pika', 'apsw') if m in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_a_dead_letter_of_own_words_is_in_the_journal(tmp_path):
    engine = make(tmp_path)

    @engine.actor(queue_name="q")
    def refuse():
        raise Permanent("request_invalid", detail="no such order")

    sent = refuse.send()
    work(engine, "q")

    assert engine.journal.lookup([sent.message_id])[sent.message_id].state is TaskState.DEAD


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"broker_url": "amqp://u@h:x/"}, "ORDERS_BROKER_URL"),
        ({"database_url": "sqlite:///"}, "ORDERS_DATABASE_URL"),
        ({"database_url": "postgresql://u:p@w@h/n"}, "ORDERS_DATABASE_URL"),
    ],
)
def test_what_is_wrong_is_called_as_the_application_calls_it(tmp_path, values, named):
    config = EngineConfig.from_env("ORDERS_", data_dir=tmp_path, **values)

    with pytest.raises(ConfigurationError, match=named):
        Engine(config).central()


def test_a_producer_counts_in_a_folder_in_which_nobody_has_made_tables(tmp_path):
    engine = make(tmp_path)
    mutex = ConcurrentRateLimiter(engine.rate_limiter_backend, "one", limit=1)

    with mutex.acquire(), mutex.acquire(raise_on_failure=False) as again:
        assert not again


def test_a_producer_starts_a_group_in_a_folder_in_which_nobody_has_made_tables(tmp_path):
    engine = make(tmp_path)
    member, done = (engine.actor(lambda: None, actor_name=name) for name in ("member", "done"))
    members = group([member.message(), member.message()], broker=engine.broker)
    members.add_completion_callback(done.message())

    members.run()

    assert engine.broker.depths()["default"].ready == 2


def test_an_engine_has_one_central_database_in_a_process(tmp_path):
    engine = make(tmp_path)

    assert engine.central() is engine.central()


@pytest.mark.parametrize(
    ("values", "command"),
    [
        ({"source": "orders.jobs:engine"}, "db upgrade --engine orders.jobs:engine$"),
        ({}, "db upgrade --engine shop:its$"),
        ({"upgrade_command": "growbin-jobs db upgrade"}, "db upgrade$"),
    ],
    ids=["told", "found", "of its own"],
)
def test_a_database_that_is_behind_names_the_command_that_upgrades_it(tmp_path, monkeypatch, values, command):
    module = ModuleType("shop")
    module.its = engine = make(tmp_path, **values)
    monkeypatch.setitem(sys.modules, "shop", module)
    results = engine.broker.get_results_backend().central

    for database in (engine.central, results):
        with pytest.raises(Deferred, match=command):
            database().run(lambda connection: connection.execute_sql("SELECT * FROM tasks"))
