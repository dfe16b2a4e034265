"""What ``celery worker`` runs for ``scripts/bench pipeline``: the same job as a good engineer writes it on Celery.

Late acknowledgement, confirmed publishes, quorum queues, pools of connections, one client of each kind a process, the
decoder's own shrinking, turning after shrinking, retries with backoff, a row in PostgreSQL at each stage and one in
SQLite for each task. What Celery does not need here is off: results, events, gossip, remote control.

``BENCH_MODEL_SIDE`` above 0 makes a smaller picture for the model in stage 1, as growbin_jobs does; 0 sends the stored
one.
"""

import base64
import io
import json
import os
from functools import lru_cache
from typing import Any

import boto3
import openai
from celery import Celery, Task
from kombu.entity import Queue
from PIL import Image, ImageOps
from psycopg2.pool import ThreadedConnectionPool

from benchmarks.tasks.journal import Journal
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai import prompts

QUEUES = ("user_input", "vision_analysis", "rule_retrieval", "response_generation")
MODEL_SIDE = int(os.environ.get("BENCH_MODEL_SIDE", "0"))
MODEL = "bench"

app = Celery("pipeline", broker=os.environ["BENCH_URL"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_queues=[
        Queue(name, exchange="", routing_key=name, queue_arguments={"x-queue-type": "quorum"}) for name in QUEUES
    ],
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=1,
)
task = {"bind": True, "autoretry_for": (Exception,), "retry_backoff": 5, "max_retries": 5}
journal = Journal(os.environ["BENCH_CELERY_JOURNAL"])
rules = {item: rule.model_dump() for item, rule in load_rules(rules_folder(None)).items()}


@lru_cache(maxsize=1)
def s3() -> Any:
    """Return this process's client: made after the fork."""
    return boto3.session.Session().client("s3", endpoint_url=os.environ["BENCH_S3"])


@lru_cache(maxsize=1)
def model() -> openai.OpenAI:
    """Return this process's client of the models."""
    return openai.OpenAI(max_retries=0, timeout=50.0)


@lru_cache(maxsize=1)
def pool() -> ThreadedConnectionPool:
    """Return this process's connections: as many as threads may want at once without waiting long."""
    return ThreadedConnectionPool(1, 100, os.environ["BENCH_DATABASE"])


def save(statement: str, *values: object) -> None:
    """Run a statement in a transaction of its own."""
    connection = pool().getconn()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
    finally:
        pool().putconn(connection)


def shrunk(data: bytes) -> dict[str, bytes]:
    """Make all sizes from one decode, turned upright when small."""
    image = Image.open(io.BytesIO(data))
    image.thumbnail((2048, 2048), Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image).convert("RGB")
    sizes = {"original": encoded(image)}
    if MODEL_SIDE:
        image.thumbnail((MODEL_SIDE, MODEL_SIDE), Image.Resampling.LANCZOS)
        sizes["model"] = encoded(image)
    image.thumbnail((300, 300), Image.Resampling.LANCZOS)
    return sizes | {"thumbnail": encoded(image)}


def encoded(image: Image.Image) -> bytes:
    """Return the picture as a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@app.task(name="upload", **task)
def upload(self: Task, user_id: str, key: str, analysis_id: str) -> None:
    """Stage 1."""
    bucket = os.environ["BENCH_BUCKET"]
    folder = f"uploads/{user_id}/{analysis_id}"
    try:
        data = s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3().exceptions.NoSuchKey:  # a run before this one got as far as deleting it
        s3().head_object(Bucket=bucket, Key=f"{folder}/original.jpg")
    else:
        for name, content in shrunk(data).items():
            s3().put_object(Bucket=bucket, Key=f"{folder}/{name}.jpg", Body=content, ContentType="image/jpeg")
    addresses = f"s3://{bucket}/{folder}/original.jpg", f"s3://{bucket}/{folder}/thumbnail.jpg"
    save(
        "UPDATE waste_analysis SET status = 'uploaded', s3_path = %s, thumbnail_path = %s WHERE id = %s",
        *addresses, analysis_id,
    )  # fmt: skip
    seen = f"{folder}/{'model' if MODEL_SIDE else 'original'}.jpg"
    app.send_task("vision", args=(analysis_id, seen), queue=QUEUES[1])
    s3().delete_object(Bucket=bucket, Key=key)
    journal.write(self.request.id, "upload", json.dumps([user_id, key, analysis_id]))


@app.task(name="vision", **task)
def vision(self: Task, analysis_id: str, key: str) -> None:
    """Stage 2."""
    picture = s3().get_object(Bucket=os.environ["BENCH_BUCKET"], Key=key)["Body"].read()
    url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    items = [prompts.KnownItem(item, rule["name"]["ko"], rule["name"]["en"]) for item, rule in rules.items()]
    answer = json.loads(ask(prompts.vision_messages(items, url, "high"), {"type": "json_object"}))
    save(
        "UPDATE waste_analysis SET status = 'classified', category = %s, item = %s, state = %s, confidence = %s"
        " WHERE id = %s",
        answer["category"], answer["item"], answer["state"], answer["confidence"], analysis_id,
    )  # fmt: skip
    app.send_task("rule", args=(analysis_id, answer), queue=QUEUES[2])
    journal.write(self.request.id, "vision", json.dumps([analysis_id, key]))


@app.task(name="rule", **task)
def rule(self: Task, analysis_id: str, answer: dict[str, Any]) -> None:
    """Stage 3."""
    found = rules.get(answer["item"]) or rules["general"]
    save("UPDATE waste_analysis SET status = 'rule_found', rules = %s WHERE id = %s", json.dumps(found), analysis_id)
    app.send_task("response", args=(analysis_id, found, answer), queue=QUEUES[3])
    journal.write(self.request.id, "rule", json.dumps([analysis_id, answer]))


@app.task(name="response", **task)
def response(self: Task, analysis_id: str, found: dict[str, Any], answer: dict[str, Any]) -> None:
    """Stage 4."""
    data = json.dumps({"rule": found, "seen": answer}, ensure_ascii=False)
    said = [
        {"role": "system", "content": prompts.TEXT_SYSTEM.format(language=prompts.LANGUAGE_NAMES["ko"])},
        {"role": "user", "content": data},
    ]
    save(
        "UPDATE waste_analysis SET status = 'completed', response = %s, completed_at = clock_timestamp()"
        " WHERE id = %s AND completed_at IS NULL",
        ask(said), analysis_id,
    )  # fmt: skip
    journal.write(self.request.id, "response", json.dumps([analysis_id, found, answer]))


def ask(messages: list[dict[str, Any]], form: dict[str, str] | None = None) -> str:
    """Ask the model."""
    form_given: Any = {"response_format": form} if form else {}
    done = model().chat.completions.create(model=MODEL, messages=messages, max_completion_tokens=1000, **form_given)  # type: ignore[arg-type]
    return done.choices[0].message.content or ""
