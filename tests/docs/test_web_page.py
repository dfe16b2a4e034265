"""The three applications of docs/web.md, each with its framework's own test client."""

import re
import sys
from pathlib import Path

import pytest
from tests import command_line

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
CODE = {re.match(r"# (\w+)\.py\n", code)[1]: code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)}

#: Each defines ``post(url, photo, **headers)`` and ``get(url, **headers)``, which return status and JSON.
CLIENTS = {
    "fastapi_app": """
from fastapi.testclient import TestClient
import fastapi_app
there = TestClient(fastapi_app.app)
def post(url, photo, user, field="photo"):
    answer = there.post(url, files={field: ("p.jpg", photo)}, headers=named(user))
    return answer.status_code, answer.json()
def get(url, user):
    answer = there.get(url, headers=named(user))
    return answer.status_code, answer.json()
""",
    "flask_app": """
import io
import flask_app
there = flask_app.app.test_client()
def post(url, photo, user, field="photo"):
    answer = there.post(url, data={field: (io.BytesIO(photo), "p.jpg")}, headers=named(user))
    return answer.status_code, answer.get_json()
def get(url, user):
    answer = there.get(url, headers=named(user))
    return answer.status_code, answer.get_json()
""",
    "django_app": """
import django
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF="django_app", SECRET_KEY="x", MIDDLEWARE=["django_app.RefuseMiddleware"]
)
django.setup()
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
there = Client()
def post(url, photo, user, field="photo"):
    answer = there.post(url, {field: SimpleUploadedFile("p.jpg", photo)}, headers=named(user))
    return answer.status_code, answer.json()
def get(url, user):
    answer = there.get(url, headers=named(user))
    return answer.status_code, answer.json() if "json" in answer["content-type"] else None  # a page of Django's own
""",
}

NAMED = """
def named(user):
    return {} if user is None else {"X-User": user}
"""

STORY = """
import threading
from growbin_jobs import client
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.messages import Advice
from growbin_jobs.models import SCHEMA

upgrade(client.analyses().database, SCHEMA)
status, body = post("/photos?id=a1&language=en", b"a photo", "u1")
assert (status, body) == (202, {"id": "a1"}), (status, body)
assert post("/photos?id=a1", b"a photo", "u1")[0] == 202
status, body = get("/photos/a1", "u1")
assert (status, body["status"], body["user_id"]) == (200, "pending", "u1"), (status, body)
assert get("/photos/a1", "u2")[0] == 403
assert get("/photos/nobody", "u1")[0] == 404
assert get("/photos/a.b", "u1")[0] == 400
status, body = post("/photos?id=a1", b"a photo", "u2")
assert status == 403 and "another user" in body["error"], (status, body)
assert post("/photos", b"a photo", "u/1")[0] == 400
assert post("/photos", b"x" * 1_000_001, "u1")[0] == 413
wrong = post("/photos", b"a photo", "u1", field="other"), post("/photos?language=fr", b"a photo", "u1")
assert {each[0] for each in wrong} <= {400, 422}, wrong
assert get("/photos/a1?wait=soon", "u1")[0] in (400, 422)
advice = Advice(text="Rinse it.", language="en", source="rule", model="offline/rule")
threading.Timer(0.2, client.analyses().completed, ("a1", advice)).start()
status, body = get("/photos/a1?wait=30", "u1")
assert (status, body["status"], body["response"]) == (200, "completed", "Rinse it."), (status, body)
for user in (None, "", "u 1", "u" * 65):
    asked = (post("/photos", b"a photo", user), post("/photos?id=a1", b"a photo", user), get("/photos/a1", user))
    assert {each[0] for each in asked} <= {400, 403, 422}, (user, asked)
for seconds in ("nan", "inf", "-inf", "-1", "1e999", "", "1,5", "%00", "9" * 400):
    assert get(f"/photos/a1?wait={seconds}", "u1")[0] in (200, 400, 422), seconds
for wrong in ("%00", "a%2Fb", "..", "%F0%9F%98%80", "a" * 65, "a%0Ab"):
    assert get(f"/photos/{wrong}", "u1")[0] in (400, 404), wrong
    assert post(f"/photos?id={wrong}", b"a photo", "u1")[0] == 400, wrong
assert post("/photos?id=", b"a photo", "u1")[0] == 400
assert post("/photos?language=", b"a photo", "u1")[0] in (400, 422)
assert post("/photos?id=empty", b"", "u1")[0] == 202
print("told")
"""


@pytest.mark.parametrize("name", CLIENTS)
def test_an_application_of_the_page_does_what_it_says(name, tmp_path, monkeypatch):
    (tmp_path / f"{name}.py").write_text(CODE[name])
    (tmp_path / "story.py").write_text(NAMED + CLIENTS[name] + STORY)
    for variable, value in {"GROWBIN_DATA_DIR": tmp_path / "data", "GROWBIN_UPLOAD_MAX_BYTES": 1_000_000}.items():
        monkeypatch.setenv(variable, str(value))

    done = command_line.run_python([sys.executable, "story.py"], cwd=tmp_path, text=True)

    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr
