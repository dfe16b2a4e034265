"""``growbin-jobs journal``, ``dead`` and ``tasks``, as a person uses them."""

import json
import os
import socket
import subprocess
import time

import apsw
import pytest
from dramatiq import Message
from tests import command_line

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.dead_letter_rows import letter_id
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks
from growbin_jobs.engine.node.election import Election

#: Nobody listens there.
AWAY = {"DATABASE_URL": "postgresql://u@127.0.0.1:9/n", "GROWBIN_DATABASE_TIMEOUT": "1"}


class Node:
    """A journal with a past."""

    def __init__(self, folder, name=None):
        self.name = name or socket.gethostname()
        self.file = folder / self.name / "task_queue.db"
        self.journal = Journal(self.file, node=self.name, worker="test", free_floor=1)
        self.now = time.time()

    def finish(self, task_id, state="completed", *, code="retries_exhausted", actor="upload_image", **fields):
        message = Message(
            queue_name="user_input", actor_name=actor, args=("u1",), kwargs={}, message_id=task_id,
            options={"retries": 3, "deferrals": 2, "deferred_since": 1.0},
        )  # fmt: skip
        dead = Dead(
            body=message.encode(), code=code, params='{"attempts": 4, "detail": "Boom"}', error="Boom",
            traceback="Traceback…\n  in actors.py", died_at=self.now,
        )  # fmt: skip
        fields = {"payload": message.encode().decode()} | fields
        record = Finish(
            task_id=task_id, task_name=actor, queue_name="user_input", state=TaskState(state), worker="n/storage/1",
            started_at=self.now - 1.5, completed_at=self.now, dead=dead if state == "dead" else None, **fields,
        )  # fmt: skip
        self.journal.write(lambda connection: tasks.finish(connection, record))

    def accept(self):
        message = Message(queue_name="user_input", actor_name="upload_image", args=(), kwargs={}, options={})
        owed = OutboxMessage(
            message_id=message.message_id, task_name="a", queue_name="user_input", body=message.encode()
        )
        self.journal.accept(owed, "{}")


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path / "data")
    made.journal.lookup([])  # makes the file
    yield made
    made.journal.close()


@pytest.fixture
def central(tmp_path):
    database = open_database(None, default_path=tmp_path / "data" / "central.db", pool_size=2, timeout=5)
    yield Tasks(database)
    database.close()


@pytest.fixture
def broker(tmp_path):
    opened = EmbeddedBroker(tmp_path / "data" / "broker.db", middleware=[])
    yield opened
    opened.close()


def waiting(broker):
    """The messages that wait for a worker."""
    broker.declare_queue("user_input")
    consumer = broker.consume("user_input", prefetch=100, timeout=100)
    found = []
    while (delivery := next(consumer)) is not None:
        found.append(delivery)
    consumer.close()
    return found


# --- journal


def test_without_a_journal_it_says_where_one_would_be(invoke, tmp_path):
    done = invoke("journal", "status")

    assert done.exit_code == 1
    assert f"There is no journal {tmp_path / 'data'}" in str(done.exception)


NOT_A_JOURNAL = {
    "no-such-file": ("There is no file", None),
    "folder": ("Did you mean", None),
    "text": ("it is no SQLite database", b"a text\n" * 1000),
    "empty": ("it has none of its tables", b""),
    "other": ("it has none of its tables", "another database"),
}
ON_A_FILE = [
    ["journal", "status"], ["journal", "tail", "--no-follow"], ["journal", "verify"], ["journal", "checkpoint"],
    ["journal", "sync"], ["journal", "drain"], ["dead", "list"], ["dead", "show", "1"], ["dead", "retry", "1"],
    ["dead", "discard", "--all"], ["tasks", "show", "t"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", ON_A_FILE, ids=" ".join)
def test_what_is_no_journal_is_said_so_and_left_as_it_is(invoke, tmp_path, arguments):
    other = apsw.Connection(str(tmp_path / "other"))
    other.execute("CREATE TABLE t (x); PRAGMA user_version = 1")
    other.close()
    for name, (_, content) in NOT_A_JOURNAL.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
    Journal(tmp_path / "folder" / "task_queue.db", node="n", worker="test", free_floor=1).lookup([])

    for name, (words, _) in NOT_A_JOURNAL.items():
        file = tmp_path / name
        before = file.read_bytes() if file.is_file() else None

        done = invoke(*arguments, "--path", file)

        assert done.exit_code == 1
        assert words in str(done.exception)
        assert (file.read_bytes() if file.is_file() else None) == before


@pytest.mark.parametrize("arguments", ON_A_FILE, ids=" ".join)
def test_a_damaged_journal_is_put_aside_by_a_drain_only(invoke, tmp_path, arguments):
    gone = Node(tmp_path / "kept", "n3")
    gone.accept()
    gone.journal.close()
    with gone.file.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(8000))  # the schema

    done = invoke(*arguments, "--path", gone.file, GROWBIN_LANGUAGE="en")

    aside = [path.name for path in gone.file.parent.glob("*.corrupt-*Z")]
    if arguments == ["journal", "drain"]:
        assert (done.exit_code, len(aside)) == (75, 1)
        assert f"was damaged and is now {aside[0]}" in done.stderr
    elif arguments == ["journal", "verify"]:
        assert "damaged" in done.stdout
    else:
        assert "is damaged" in str(done.exception)
    assert done.exit_code in (1, 75)
    assert aside == [] or arguments == ["journal", "drain"]


def test_status_says_how_it_is(invoke, node):
    node.finish("a")
    node.finish("b", "dead")
    node.accept()

    found = json.loads(invoke("journal", "status", "--json").stdout)

    assert found["tasks"] == {"pending": 1, "running": 0, "completed": 1, "failed": 0, "dead": 1}
    assert (found["unsynced"], found["owed"], found["dead_letters"]) == (3, 1, 1)
    assert (found["keeper"], found["workers"], found["quarantined"]) == (None, [], [])
    assert found["bytes"]["database"] > 0
    shown = invoke("journal", "status", GROWBIN_LANGUAGE="en").stdout
    assert "1 completed" in shown
    assert "none: it comes with a worker" in shown


def test_tail_shows_the_latest(invoke, node):
    node.finish("a")
    node.now += 1
    node.finish("b", "failed", error="Boom", due_at=1.0)

    lines = invoke("journal", "tail", "--no-follow").stdout.splitlines()

    assert [line.split()[1:3] for line in lines] == [["completed", "upload_image"], ["failed", "upload_image"]]
    assert "1.500 s" in lines[0]
    assert lines[1].endswith("Boom")


def test_tail_follows_every_change_once_copied_or_not(command, node, central, environment):
    from growbin_jobs.engine.central.sync import Sync
    from growbin_jobs.engine.central.upgrade import upgrade
    from growbin_jobs.models import SCHEMA

    upgrade(central.database, SCHEMA)
    sync = Sync(node.journal, central)
    node.finish("old")
    follower = command_line.start(
        "journal", "tail", "--json", "-n", "1", env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert json.loads(follower.stdout.readline())["task_id"] == "old"
        node.finish("new", "failed", due_at=1.0)
        sync.run_once()
        node.finish("newer")
        seen = [json.loads(follower.stdout.readline()) for _ in range(2)]
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()
    assert [(row["task_id"], row["status"]) for row in seen] == [("new", "failed"), ("newer", "completed")]


def test_verify_finds_damage(invoke, node):
    assert invoke("journal", "verify").exit_code == 0
    node.journal.close()
    size = node.file.stat().st_size
    with node.file.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    done = invoke("journal", "verify", "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["problems"] != []


def test_checkpoint_copies_the_log(invoke, node):
    node.finish("a")

    found = json.loads(invoke("journal", "checkpoint", "--json").stdout)

    assert found["pages"] == found["copied"] > 0


def test_sync_copies_at_once(invoke, node, central):
    node.finish("a")

    done = invoke("journal", "sync", GROWBIN_LANGUAGE="en")

    assert (done.exit_code, done.stdout) == (0, "Rows: 1 copied, 0 refused, 0 left.\n")
    assert central.get("a").node == node.name


def test_sync_that_cannot_says_what_is_left(invoke, node):
    node.finish("a")

    done = invoke(
        "journal", "sync", "--json", DATABASE_URL="postgresql://u@127.0.0.1:9/n", GROWBIN_DATABASE_TIMEOUT="1"
    )

    assert done.exit_code == 75
    assert json.loads(done.stdout) == {"copied": 0, "refused": 0, "left": 1}
    assert "127.0.0.1:9" in done.stderr


def test_drain_empties_what_a_node_left_behind(invoke, tmp_path, central, broker):
    gone = Node(tmp_path / "kept", "storage-3")
    gone.finish("a")
    gone.accept()
    gone.journal.close()

    first = invoke("journal", "drain", "--path", gone.file, "--json")
    second = invoke("journal", "drain", "--path", gone.file, "--json")

    assert first.exit_code == second.exit_code == 0
    # What waits to be sent has a row too; it goes with the message.
    report = {"copied": 2, "refused": 0, "left": 0, "sent": 1, "owed": 0, "quarantined": []}
    assert json.loads(first.stdout) == report
    assert json.loads(second.stdout) == report | {"copied": 0, "sent": 0}
    assert central.get("a").node == "storage-3"
    assert len(waiting(broker)) == 1


def test_drain_leaves_a_living_node_alone(invoke, node):
    keeper = Election(node.file.parent)
    keeper.win()

    done = invoke("journal", "drain", "--path", node.file)

    assert done.exit_code == 1
    assert f"is in use (keeper {os.getpid()})" in str(done.exception)
    keeper.step_down()


# --- dead


def test_the_dead_are_listed_with_the_reason_in_the_reader_s_language(invoke, node):
    node.finish("a", "dead")
    node.finish("b", "dead", code="no_such_reason", actor="other")

    korean = [json.loads(line) for line in invoke("dead", "list", "--json").stdout.splitlines()]
    english = json.loads(invoke("dead", "list", "--json", "--actor", "upload_image", GROWBIN_LANGUAGE="en").stdout)

    assert [letter["task_id"] for letter in korean] == ["b", "a"]
    assert korean[0]["reason"] == "Boom"
    assert any("\uac00" <= character <= "\ud7a3" for character in korean[1]["reason"])
    assert english["reason"].isascii()
    assert english["message"]["args"] == ["u1"]
    assert "retries_exhausted" in invoke("dead", "list").stdout
    assert invoke("dead", "list", "--code", "nothing").stdout == ""


HOSTILE = "no_such[/actor]\x1b[31m\u202e:smile:\n  17  other"
UUID = "6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11"


@pytest.mark.parametrize(
    "view",
    [["dead", "list"], ["dead", "show", "1"], ["tasks", "show", HOSTILE], ["journal", "tail", "--no-follow"],
     ["dead", "list", "--cluster"]],
    ids=" ".join,
)  # fmt: skip
def test_names_and_errors_are_data_in_every_view(invoke, node, view):
    node.finish(HOSTILE, "dead", actor=HOSTILE, error=f"{HOSTILE}\r", code="no_such[/code]\x9b")
    invoke("journal", "sync")

    done = invoke(*view)
    exact = invoke(*view, "--json")

    assert done.exit_code == exact.exit_code == 0
    shown = done.stdout.replace("\n", "")
    assert "no_such[/actor]\\x1b[31m\\u202e:smile:\\n  17  other" in shown
    if view[1] == "list":  # no line of a name looks like a row
        assert "  17  other" not in done.stdout.splitlines()
    for output in (done.output, exact.stdout):
        assert [sign for sign in output if not (sign.isprintable() or sign == "\n") or sign == "\u202e"] == []
    row = json.loads(exact.stdout.splitlines()[0])
    assert HOSTILE in (row.get("actor"), row.get("task_name"), row.get("task_id"))


@pytest.mark.parametrize("columns", ["80", "40", "20"])
def test_ids_are_whole_however_narrow_the_terminal(invoke, node, columns):
    node.finish(UUID, "dead", error="https://example.org/" + "a" * 100, result='"s3://pictures/' + "b" * 90 + '"')
    invoke("journal", "sync")

    for view in (["dead", "list"], ["dead", "show", 1], ["dead", "list", "--cluster"], ["tasks", "show", UUID]):
        assert UUID in invoke(*view, COLUMNS=columns).stdout
    shown = invoke("tasks", "show", UUID, COLUMNS=columns).stdout
    assert "https://example.org/" + "a" * 100 in shown
    assert "s3://pictures/" + "b" * 90 in shown


def test_times_are_shown_in_the_zone_of_the_reader(command, node):
    node.now = 1_000_000_000.0
    node.finish("a", "dead")

    for view in (["dead", "list"], ["dead", "show", 1], ["tasks", "show", "a"]):
        done = command(*view, TZ="Asia/Seoul", DATABASE_URL=AWAY["DATABASE_URL"], GROWBIN_DATABASE_TIMEOUT="1")
        assert "2001-09-09 10:46:40" in done.stdout
        assert "KST, UTC+09:00" in done.stdout + done.stderr
    exact = json.loads(command("dead", "show", 1, "--json", TZ="Asia/Seoul").stdout)
    assert exact["died_at"] == "2001-09-09T01:46:40.000+00:00"


def test_one_of_the_dead_is_shown_with_its_traceback(invoke, node):
    node.finish("a", "dead")

    assert "in actors.py" in invoke("dead", "show", 1).stdout
    assert json.loads(invoke("dead", "show", 1, "--json").stdout)["params"] == {"attempts": 4, "detail": "Boom"}
    for unknown in ("2", "0", "9" * 30):
        assert f"There is no dead letter {unknown}" in str(invoke("dead", "show", unknown).exception)


def test_a_retried_message_is_sent_with_its_counts_anew(invoke, node, broker):
    node.finish("a", "dead")

    done = invoke("dead", "retry", 1, GROWBIN_LANGUAGE="en")

    assert (done.exit_code, done.stdout) == (0, "1 retried.\n")
    [message] = waiting(broker)
    # More put off than before: a node that saw it end would else take it for the run that it knows.
    assert (message.message_id, message.options["retries"], message.options["deferrals"]) == ("a", 0, 3)
    assert "deferred_since" not in message.options
    assert invoke("dead", "list").stdout == ""
    again = invoke("dead", "retry", 1)
    assert again.exit_code == 1
    assert "retried or discarded before" in again.stderr


def test_the_dead_are_retried_by_filter_and_many_only_when_confirmed(invoke, node, broker):
    for number in range(22):
        node.finish(f"a{number}", "dead")
    node.finish("b", "dead", actor="other")

    assert "Say which" in str(invoke("dead", "retry").exception)
    assert "Say which" in str(invoke("dead", "retry", 1, "--all").exception)
    assert "Add --yes" in str(invoke("dead", "retry", "--actor", "upload_image").exception)
    assert invoke("dead", "retry", "--actor", "upload_image", "--yes").stdout == "22개를 다시 시도합니다.\n"

    assert len(waiting(broker)) == 22
    assert [json.loads(line)["task_id"] for line in invoke("dead", "list", "--json").stdout.splitlines()] == ["b"]


def test_without_a_broker_a_retry_is_owed(invoke, node):
    node.finish("a", "dead")

    done = invoke("dead", "retry", 1, GROWBIN_BROKER_URL="amqp://127.0.0.1:9", GROWBIN_PUBLISH_TIMEOUT="1")

    assert done.exit_code == 0
    assert "키퍼가 계속합니다" in done.stderr
    assert node.journal.backlog() == 1


def test_the_audit_tells_what_was_decided_about_a_nodes_dead_letters(invoke, node, broker):
    node.finish("a", "dead")
    node.finish("b", "dead")

    invoke("dead", "retry", 1)
    invoke("dead", "discard", "--all")

    rows = [json.loads(line) for line in invoke("audit", "list", "--json").stdout.splitlines()]
    assert [(row["action"], row["target"], row["role"]) for row in rows] == [
        ("dead_letter.discarded", letter_id(node.journal.node, 2, "b"), "cli"),
        ("dead_letter.retried", letter_id(node.journal.node, 1, "a"), "cli"),
    ]


def test_while_the_central_database_is_away_a_node_decides_all_the_same_and_says_what_the_audit_lacks(
    invoke, node, broker
):
    node.finish("a", "dead")

    done = invoke("dead", "retry", 1, DATABASE_URL="postgresql://127.0.0.1:9/none", GROWBIN_LANGUAGE="en")

    assert (done.exit_code, done.stdout) == (0, "1 retried.\n")
    assert "The audit does not tell of this: " in done.stderr


def test_discarded_ones_stay_dead(invoke, node, broker):
    node.finish("a", "dead")

    assert invoke("dead", "discard", "--all").stdout == "1개를 폐기했습니다.\n"

    assert invoke("dead", "list").stdout == ""
    assert "a" in invoke("dead", "list", "--dealt-with").stdout
    assert waiting(broker) == []


def test_the_dead_of_all_nodes_are_listed_from_the_central_database(invoke, node, tmp_path):
    other = Node(tmp_path / "data", "other")
    other.finish("there", "dead", error="Boom")
    other.journal.close()
    invoke("journal", "drain", "--path", other.file)

    found = json.loads(invoke("dead", "list", "--cluster", "--json").stdout)

    assert (found["task_id"], found["node"], found["error"]) == ("there", "other", "Boom")
    assert "other" in invoke("dead", "list", "--cluster").stdout


# --- tasks


def test_a_task_is_shown_with_its_history(invoke, node):
    node.finish("a", "dead", error="Boom")
    invoke("journal", "sync")
    invoke("dead", "retry", 1)

    found = json.loads(invoke("tasks", "show", "a", "--json").stdout)

    events = [event["event"] for event in found["history"]]
    assert events == ["created", "started", "dead", "given up", "copied", "sent once more"]
    # The database hears a moment later that it was retried.
    assert (found["central"]["status"], found["journal"]["status"], found["latest"]["status"]) == (
        "dead", "failed", "failed",
    )  # fmt: skip
    shown = invoke("tasks", "show", "a").stdout
    assert "sent once more" in shown
    assert "Boom" in shown


def test_a_task_of_another_node_is_shown_with_what_the_database_knows(invoke, node, tmp_path):
    other = Node(tmp_path / "data", "other")
    other.finish("there", "failed", error="Boom", due_at=other.now + 60)
    with_crash = "INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, created_at, crashes, seq)"
    other.journal.write(lambda c: c.execute(f"{with_crash} VALUES ('crashed', 'a', 'q', 'null', 'failed', 1, 2, 9)"))
    other.journal.close()
    invoke("journal", "drain", "--path", other.file)

    found = json.loads(invoke("tasks", "show", "there", "--json").stdout)
    crashed = invoke("tasks", "show", "crashed").stdout

    assert (found["journal"], found["latest"]) == (None, found["central"])
    events = [(event["event"], event["detail"]) for event in found["history"]]
    assert events == [
        ("created", "upload_image for user_input"), ("started", "by n/storage/1"), ("failed", "Boom"),
        ("copied", "from other"), ("retry due", "number 1"),
    ]  # fmt: skip
    assert "its worker died  2 times" in crashed


def test_a_task_is_shown_though_this_node_s_journal_is_damaged(invoke, node):
    node.finish("a")
    invoke("journal", "sync")
    node.journal.close()
    node.file.write_bytes(node.file.read_bytes()[:100] + os.urandom(8000))

    done = invoke("tasks", "show", "a")

    assert done.exit_code == 0
    assert "completed" in done.stdout
    assert "is damaged" in " ".join(done.stdout.split())
    assert "as far as could be seen" in str(invoke("tasks", "show", "b").exception)


def test_a_task_can_be_shown_while_the_database_is_away(invoke, node):
    node.finish("a")

    done = invoke("tasks", "show", "a", **AWAY)

    assert done.exit_code == 0
    assert "completed" in done.stdout
    assert "127.0.0.1:9" in done.stdout


def test_the_tasks_of_an_analysis_are_shown_as_a_tree(invoke, node, central):
    from growbin_jobs.engine.central.upgrade import upgrade
    from growbin_jobs.engine.delivery.codec import follow_up_id
    from growbin_jobs.models import SCHEMA
    from growbin_jobs.models.analysis import Analyses

    upgrade(central.database, SCHEMA)
    Analyses(central.database).accept("a-1001", "u1")
    assert "none of its tasks yet" in str(invoke("tasks", "tree", "a-1001").exception)

    node.finish(UUID, payload='{"args": ["u1", "s3://k", "a-1001"], "kwargs": {}}', created_at=time.time())
    child = follow_up_id(UUID, "analyze_image", 0)
    node.finish(child, "failed", actor="analyze_image", error="Boom")
    invoke("journal", "sync")

    for known in ("a-1001", UUID):
        [root] = json.loads(invoke("tasks", "tree", known, "--json").stdout)
        assert (root["task"]["task_id"], root["follow_ups"][0]["task"]["task_id"]) == (UUID, child)
        lines = invoke("tasks", "tree", known, COLUMNS="40").stdout.splitlines()
        assert [line.strip() for line in lines if "-" in line and ":" not in line] == [UUID, child]
        assert "Boom" in lines[-1]
    assert "no analysis and no task" in str(invoke("tasks", "tree", "nobody").exception)


def test_an_unknown_task_is_an_error(invoke, node):
    done = invoke("tasks", "show", "nobody")

    assert done.exit_code == 1
    assert "There is no task 'nobody'" in str(done.exception)
