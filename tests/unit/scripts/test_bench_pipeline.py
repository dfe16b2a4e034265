"""``scripts/bench pipeline`` compares like with like, on small inputs."""

import io
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.messages import VisionAnswer

SCRIPTS = Path(__file__).parents[3] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from benchmarks.pipeline.chart import draw  # noqa: E402
from benchmarks.pipeline.measurement import Run  # noqa: E402


@pytest.fixture
def model_server():
    env = os.environ | {
        "BENCH_VISION": "0",
        "BENCH_TEXT": "0",
        "BENCH_ITEMS": "can,pet_bottle",
        "PYTHONPATH": str(SCRIPTS),
    }
    command = [sys.executable, "-m", "benchmarks.pipeline.model_server"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.kill()


def test_the_model_server_answers_in_the_job_s_form_and_counts(model_server):
    def ask(content):
        body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
        with urllib.request.urlopen(f"{model_server}/v1/chat/completions", body, timeout=20) as answer:
            return json.load(answer)["choices"][0]["message"]["content"]

    seen = [ask([{"type": "image_url", "image_url": {"url": f"data:{number}"}}]) for number in range(3)]
    assert len({VisionAnswer.model_validate_json(one).confidence for one in seen}) == 3
    assert "." in ask("a rule")
    with urllib.request.urlopen(f"{model_server}/stats", timeout=20) as answer:
        counted = json.load(answer)
    assert (counted["vision"], counted["text"]) == (3, 1)


@pytest.mark.before_release
def test_celery_makes_what_we_make(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((2400, 1800)).save(file, "JPEG", exif=turned)
    code = """
import sys
from pathlib import Path
from benchmarks.pipeline.celery_worker import shrunk
for name, data in shrunk(Path(sys.argv[1], "photo").read_bytes()).items():
    Path(sys.argv[1], name).write_bytes(data)
"""
    (tmp_path / "photo").write_bytes(file.getvalue())
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(SCRIPTS), *sys.path]),
        "BENCH_URL": "memory://",
        "BENCH_MODEL_SIDE": "1024",
        "BENCH_CELERY_JOURNAL": str(tmp_path / "journal.db"),
    }
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, check=True, timeout=60)
    ours = prepare(file.getvalue())
    for name, data in (("original", ours.original), ("model", ours.for_model), ("thumbnail", ours.thumbnail)):
        theirs, mine = (Image.open(io.BytesIO(one)).size for one in ((tmp_path / name).read_bytes(), data))
        assert theirs[0] < theirs[1]
        assert mine == pytest.approx(theirs, rel=0.1)


def test_a_chart_is_drawn(tmp_path):
    figures = (10, 0, 1.0, 300.0, 1.0, 2.0, 50.0, 5.0, {}, 100.0, 90.0, 0.1, {}, 10, 10, 100.0)
    systems = ("growbin_jobs", "celery")
    runs = [Run(system, 12, killed, 3 * killed, *figures) for killed in (False, True) for system in systems]
    draw(runs, tmp_path / "pipeline.png")
    assert Image.open(tmp_path / "pipeline.png").width > 1000
