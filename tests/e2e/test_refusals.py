"""Bad input: said plainly, never retried, and the worker lives on."""

import pytest
from PIL import Image

from growbin_jobs.states import AnalysisStatus

pytestmark = pytest.mark.timeout(400)


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


def test_each_bad_picture_fails_once_with_a_reason_and_the_worker_lives_on(embedded, bad_pictures):
    bad, good = bad_pictures
    embedded.start()
    ids = embedded.submit(list(bad))

    failed = embedded.wait(list(ids), timeout=150)

    assert {analysis.status for analysis in failed.values()} == {AnalysisStatus.FAILED}
    assert {ids[key].stem: analysis.error_code for key, analysis in failed.items()} == {
        path.stem: code for path, code in bad.items()
    }
    assert {analysis.failed_stage for analysis in failed.values()} == {"upload"}
    assert all(analysis.error for analysis in failed.values())
    assert "message.retry" not in embedded.log("storage")
    [after] = embedded.wait(list(embedded.submit([good])), timeout=150).values()
    assert after.status is AnalysisStatus.COMPLETED


@pytest.mark.parametrize(
    ("image_path", "code"),
    [
        ("/etc/passwd", "picture_outside_spool"),
        ("{spool}/../../etc/passwd", "picture_outside_spool"),
        ("{spool}/no-such-file.jpg", "picture_missing"),
        ("s3://another-bucket/spool/x", "picture_outside_spool"),
        ("s3://growbin/uploads/u/a/original.jpg", "picture_outside_spool"),
        ("s3://growbin/spool/none", "picture_missing"),
        ("relative.jpg", "picture_outside_spool"),
    ],
)
def test_a_path_that_may_not_be_read_is_refused(embedded, image_path, code):
    path = image_path.format(spool=embedded.settings.spool_folders[0])
    embedded.settings.spool_folders[0].mkdir(parents=True)
    embedded.start("storage")
    embedded.send(f"from growbin_jobs.storage import upload_image; upload_image.send('u', {path!r}, 'a1')")

    analysis = embedded.wait(["a1"], timeout=150)["a1"]

    assert (analysis.status, analysis.error_code, analysis.failed_stage) == ("failed", code, "upload")


def test_a_call_that_makes_no_sense_is_dead_and_the_next_one_runs(embedded, photos):
    embedded.start()
    embedded.send(
        "from growbin_jobs.storage import upload_image, retrieve_rule\n"
        "upload_image.send('../../etc', '/x', 'a1')\n"
        "upload_image.send('only one')\n"
        "retrieve_rule.send('a2', 'pet_bottle', {'category': 'wood'})"
    )

    failed = embedded.wait(["a1", "a2"], timeout=150)
    [after] = embedded.wait(list(embedded.submit(photos[:1])), timeout=150).values()

    assert {analysis.error_code for analysis in failed.values()} == {"request_invalid"}
    assert after.status is AnalysisStatus.COMPLETED
