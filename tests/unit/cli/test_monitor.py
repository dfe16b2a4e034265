"""``growbin-jobs monitor …`` and ``audit …``, over the embedded database."""

import json
import re
from datetime import datetime
from subprocess import PIPE
from zoneinfo import ZoneInfo

import pytest
from tests import command_line

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.models.audit import Audit, AuditEntry
from growbin_jobs.monitor.people import User
from growbin_jobs.monitor.security.passwords import Passwords


def test_without_credentials_it_does_not_start_and_says_what_to_do(command):
    done = command("monitor")

    assert done.returncode == 78
    for way in ("GROWBIN_MONITOR_USERS", "GROWBIN_MONITOR_OIDC_ISSUER", "--sign-in-link", "--insecure"):
        assert way in done.stderr


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        (["--insecure", "--host", "0.0.0.0"], {}, "on this machine only"),
        (["--insecure"], {"GROWBIN_MONITOR_OIDC_ISSUER": "https://x"}, "GROWBIN_MONITOR_OIDC_CLIENT_ID"),
        (["--insecure"], {"GROWBIN_MONITOR_USERS": "kim:admin:$argon2id$x"}, "leave --insecure out"),
        ([], {"GROWBIN_MONITOR_USERS": "kim:admin:secret"}, "hash-password"),
        ([], {"GROWBIN_MONITOR_USERS_FILE": "/nowhere"}, "cannot be read"),
        ([], {"GROWBIN_MONITOR_PROXY_HEADER": "X-User"}, "GROWBIN_MONITOR_ALLOW"),
        ([], {"GROWBIN_MONITOR_PROXY_HEADER": "X-User", "GROWBIN_MONITOR_ALLOW": "user:a=admin"}, "PROXY_NETWORKS"),
        # By TCP anybody could come without an address, so the socket's word does not count there.
        ([], {"GROWBIN_MONITOR_PROXY_HEADER": "X-User", "GROWBIN_MONITOR_ALLOW": "user:a=admin",
              "GROWBIN_MONITOR_PROXY_NETWORKS": "unix"}, "PROXY_NETWORKS"),
        (["--sign-in-link", "--url-prefix", "/a b"], {}, "prefix"),
        (["--sign-in-link", "--url-prefix", "/../x"], {}, "prefix"),
        (["--sign-in-link", "--unix-socket", "/nowhere/m.sock"], {}, "/nowhere/m.sock"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(invoke, options, variables, words):
    done = invoke("monitor", *options, **variables)

    assert done.exit_code == 78
    assert words in " ".join(done.stderr.split())
    assert "secret" not in done.stderr.replace("_SECRET", "")


def test_a_hashed_password_is_a_user(command, environment):
    words = ("monitor", "hash-password", "kim", "--role", "admin+personal")
    with command_line.start(*words, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
        shown, _ = process.communicate("correct horse battery\n", timeout=100)
    assert process.returncode == 0
    user = User.parse(shown)

    assert (user.name, str(user.grant)) == ("kim", "admin+personal")
    assert Passwords([user]).check("kim", "correct horse battery") == user
    assert Passwords([user]).check("kim", "wrong") is None


def test_tokens_are_made_shown_once_listed_and_revoked_and_the_audit_knows(invoke):
    made = json.loads(invoke("monitor", "token", "create", "ci", "--role", "operator", "--days", "7", "--json").stdout)
    assert made["secret"].startswith(f"gbm_{made['id']}.")
    listed = invoke("monitor", "token", "list", "--json")
    assert made["secret"] not in listed.stdout
    assert json.loads(listed.stdout)["state"] == "valid"

    assert invoke("monitor", "token", "revoke", made["id"]).stdout == "ci을(를) 취소했습니다.\n"
    again = invoke("monitor", "token", "revoke", made["id"])
    assert again.exit_code == 1
    assert "revoked" in invoke("monitor", "token", "list").stdout
    rows = [json.loads(line) for line in invoke("audit", "list", "--json").stdout.splitlines()]
    assert [row["action"] for row in rows] == ["token.revoked", "token.created"]
    assert rows[1]["details"] == {"days": 7, "role": "operator"}
    month = datetime.fromisoformat(rows[0]["at"]).astimezone(ZoneInfo("Asia/Seoul")).strftime("%Y-%m")
    reviewed = json.loads(invoke("audit", "review", month, "--json").stdout)
    assert reviewed["access"] == rows


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("limit.set", "limits set vision 60"),
        ("limit.set", "limits set vision --offline-share 10%"),
        ("budget.set", "budgets set total 25"),
        ("breaker.reset", "breakers reset model:none"),
        ("queue.paused", "queues pause vision_analysis --why tea"),
        ("actor.resumed", "queues resume --actor upload_image"),
        ("task.revoked", "tasks revoke m-1"),
        ("task.revocation_withdrawn", "tasks revoke m-1 --undo"),
        ("task.aborted", "tasks abort m-1"),
    ],
)
def test_the_audit_knows_what_a_command_changes_as_it_knows_it_of_the_monitor(invoke, action, line):
    invoke(*line.split())

    assert [json.loads(row)["action"] for row in invoke("audit", "list", "--json").stdout.splitlines()] == [action]


def test_a_link_names_the_address_it_was_made_for(invoke):
    made = invoke("monitor", "link", "--address", "https://jobs.example.com/m/", "--role", "viewer")

    assert re.fullmatch(r"https://jobs\.example\.com/m/sign-in/link#gbm_\w+\.[\w-]+\n", made.stdout)


def test_the_audit_is_verified_and_a_changed_row_is_named(invoke, tmp_path):
    invoke("monitor", "token", "create", "ci")
    database = open_database(None, default_path=tmp_path / "data" / "central.db", pool_size=2, timeout=10)
    Audit(database).append(AuditEntry(who="kim", action="photo.seen", target="a1", whose="u-42", reason="a complaint"))
    head = invoke("audit", "verify")
    assert (head.exit_code, head.stdout.startswith("2:")) == (0, True)
    shown = invoke("audit", "list", "--whose", "u-42").stdout
    assert "kim  photo.seen  target=a1  whose=u-42" in " ".join(shown.split(" ")).replace("\n", " ")
    assert "a complaint" in shown

    database.transaction(lambda one: one.execute_sql("UPDATE audit SET whose = 'u-43' WHERE number = 2"))
    database.close()

    found = invoke("audit", "verify", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["wrong"] == "Row 2 was changed after it was written."
    assert invoke("audit", "verify", "--head", head.stdout.strip()).exit_code == 1
