"""Bad input: said plainly, never retried, and the worker lives on."""

import json

import pytest
from PIL import Image
from tests.stubs.webhook_receiver import receiver
from tests.waiting import until
from tests.whole import WHOLE

from growbin_jobs.adapters.webhooks.signing import is_genuine
from growbin_jobs.states import AnalysisStatus
from growbin_jobs.wiring import object_store

pytestmark = pytest.mark.timeout(400)

SECRET = "a secret of sixteen bytes"


@pytest.fixture
def told():
    """The completion hook's receiver."""
    with receiver() as its:
        yield its


@pytest.fixture
def bad_pictures(tmp_path):
    """One file of each kind that is refused, and the code that it is refused with."""
    folder = tmp_path / "bad"
    folder.mkdir()
    good = folder / "good.jpg"
    Image.effect_noise((640, 480), 60).convert("RGB").save(good, quality=90)
    contents = {
        "picture_truncated": good.read_bytes()[:9000],
        "picture_not_an_image": b"<html><body>bottle.jpg</body></html>",
        "picture_too_small": None,
    }
    Image.new("RGB", (8, 8)).save(folder / "picture_too_small.png")
    for code, content in contents.items():
        if content is not None:
            (folder / f"{code}.jpg").write_bytes(content)
    return {path: path.stem for path in folder.iterdir() if path != good}, good


def spooled(stack):
    """The keys of the pictures that were handed in and are neither stored nor refused."""
    return [entry.key for entry in object_store(stack.settings).list("spool/")]


def run(stack, *arguments):
    """Run the command line and return what it says."""
    return stack.run(*arguments, check=True).stdout


def dead_letters(stack):
    """The dead letters that nobody has dealt with."""
    return [json.loads(line) for line in run(stack, "dead", "list", "--json").splitlines()]


@pytest.mark.parametrize(
    "either", [pytest.param("clustered", marks=pytest.mark.services), *["embedded"] * WHOLE], indirect=True
)
def test_each_bad_picture_and_call_fails_once_with_a_reason_and_the_worker_lives_on(either, bad_pictures, told):
    bad, good = bad_pictures
    either.env |= {
        "GROWBIN_COMPLETION_URL": told.url, "GROWBIN_WEBHOOK_NETWORKS": "127.0.0.0/8", "WEBHOOK_SECRET": SECRET
    }  # fmt: skip
    either.start(greenlets=False)
    either.send(
        "from growbin_jobs.storage import upload_image, retrieve_rule\n"
        "upload_image.send('../../etc', '/x', 'a1')\n"
        "upload_image.send('only one')\n"
        "retrieve_rule.send('a2', 'pet_bottle', {'category': 'wood'})"
    )
    ids = either.submit(list(bad))

    failed = either.wait(list(ids), timeout=150)
    senseless = either.wait(["a1", "a2"], timeout=150)

    assert {analysis.status for analysis in failed.values()} == {AnalysisStatus.FAILED}
    assert {ids[key].stem: analysis.error_code for key, analysis in failed.items()} == {
        path.stem: code for path, code in bad.items()
    }
    assert {analysis.failed_stage for analysis in failed.values()} == {"upload"}
    assert all(analysis.error for analysis in failed.values())
    assert {analysis.error_code for analysis in senseless.values()} == {"request_invalid"}
    assert "message.retry" not in either.log("storage")
    assert spooled(either) == []
    [after] = either.wait(list(either.submit([good])), timeout=150).values()
    assert after.status is AnalysisStatus.COMPLETED
    ends = dict.fromkeys(ids, "analysis.failed") | {after.id: "analysis.completed"}
    until(lambda: len(set(told.ids)) == len(ends))
    heard = [json.loads(body) for headers, body in told.got if is_genuine(headers, body, SECRET)]
    assert {message["data"]["id"]: message["type"] for message in heard} == ends
    assert {message["data"]["error_code"] for message in heard} == {*bad.values(), None}


def test_paths_that_may_not_be_read_are_refused_and_a_refused_file_of_somebody_elses_is_left_where_it_is(storing):
    spool = storing.settings.spool_folders[0]
    spool.mkdir(parents=True, exist_ok=True)
    note = spool / "note.jpg"
    note.write_text("no picture, and its owner's")
    theirs = object_store(storing.settings).put("spool/theirs.jpg", b"neither", content_type="image/jpeg")
    paths = {
        "/etc/passwd": "picture_outside_spool",
        f"{spool}/../../etc/passwd": "picture_outside_spool",
        f"{spool}/no-such-file.jpg": "picture_missing",
        "s3://another-bucket/spool/x": "picture_outside_spool",
        "s3://growbin/uploads/u/a/original.jpg": "picture_outside_spool",
        "s3://growbin/spool/none": "picture_missing",
        "relative.jpg": "picture_outside_spool",
        str(note): "picture_not_an_image",
        theirs: "picture_not_an_image",
    }
    ids = {f"a{number}": path for number, path in enumerate(paths)}
    storing.send(
        "from growbin_jobs.storage import upload_image\n"
        f"for analysis_id, path in {ids!r}.items(): upload_image.send('u', path, analysis_id)"
    )

    failed = storing.wait(list(ids), timeout=150)

    assert {ids[key]: analysis.error_code for key, analysis in failed.items()} == paths
    assert {(analysis.status, analysis.failed_stage) for analysis in failed.values()} == {("failed", "upload")}
    assert note.exists()
    assert spooled(storing) == ["spool/theirs.jpg"]


def test_a_refused_photo_is_an_outcome_and_a_picture_that_is_nowhere_a_dead_letter(storing, bad_pictures):
    bad, _ = bad_pictures
    before = dead_letters(storing)
    ids = storing.submit(list(bad))
    storing.send(
        "from growbin_jobs.storage import upload_image\nupload_image.send('u', 's3://growbin/spool/none', 'gone')"
    )

    failed = storing.wait([*ids, "gone"], timeout=150)

    assert {analysis.error_code for analysis in failed.values()} == {*bad.values(), "picture_missing"}
    # Its end is written behind the row of the analysis.
    letters = until(lambda: [one for one in dead_letters(storing) if one not in before], "a dead letter")
    assert [letter["code"] for letter in letters] == ["picture_missing"]


def test_a_worker_that_is_killed_before_it_has_told_of_a_refusal_tells_of_it_when_it_is_back(embedded, bad_pictures):
    bad, _ = bad_pictures
    # The first end is that of stage 1, the second that of the recording. The process that replaces it comes to one end.
    embedded.start("storage", through={"GROWBIN_CRASHPOINT": "commit.before:2"}, greenlets=False)
    [analysis_id] = embedded.submit([next(iter(bad))])
    embedded.await_log("storage", "was killed by SIGKILL", timeout=100)

    [failed] = embedded.wait([analysis_id], timeout=150).values()
    assert failed.error_code == bad[next(iter(bad))]
    assert spooled(embedded) == []


def test_nobody_s_analysis_or_picture_is_touched_by_another_user_s_message(embedded, photos, bad_pictures):
    bad, _ = bad_pictures
    objects = object_store(embedded.settings)
    mine, kept = embedded.submit(photos[:2])  # nobody works yet: both wait in the spool
    spool = embedded.settings.spool_folders[0]
    spool.mkdir(parents=True, exist_ok=True)
    refused = spool / "bad.jpg"
    refused.write_bytes(next(iter(bad)).read_bytes())
    embedded.send(
        "from growbin_jobs.storage import upload_image\n"
        "from growbin_jobs.ai import analyze_image\n"
        # A refused picture, and no call at all, for an analysis of somebody else's.
        f"upload_image.send('thief', {str(refused)!r}, {mine!r})\n"
        f"upload_image.send_with_options(kwargs=dict(image_path='/x', analysis_id={mine!r}))\n"
        # Somebody else's picture for an analysis of one's own.
        f"upload_image.send('thief', {objects.address('spool/' + kept)!r}, 'stolen')\n"
        f"analyze_image.send({mine!r}, 's3://growbin/uploads/thief/other/original.jpg')\n"
        # Past stage 1: a copy in the spool for an analysis of one's own; a picture of nobody's for somebody else's.
        f"analyze_image.send('seen', {objects.address('spool/waits')!r})\n"
        f"analyze_image.send('seen-by-key', 'spool/waits')\n"
        f"analyze_image.send({mine!r}, {objects.address('pictures/other.jpg')!r})"
    )
    for key in ("spool/waits", "pictures/other.jpg"):
        objects.put(key, photos[0].read_bytes(), content_type="image/jpeg")
    embedded.start("storage", greenlets=False)
    dead = embedded.wait(["stolen"], timeout=150)["stolen"]
    embedded.start("ai")

    done = embedded.wait([mine, kept], timeout=150)
    seen = embedded.wait(["seen", "seen-by-key"], timeout=150)
    objects.delete("spool/waits")

    assert (dead.status, dead.error_code, dead.s3_path) == (AnalysisStatus.FAILED, "request_invalid", None)
    assert {(one.error_code, one.category) for one in seen.values()} == {("request_invalid", None)}
    assert {(analysis.status, analysis.error_code) for analysis in done.values()} == {(AnalysisStatus.COMPLETED, None)}
    assert spooled(embedded) == []
