import pytest

from growbin_jobs.errors import Permanent
from growbin_jobs.storage.ownership import Ownership

ROWS = {"mine": "u1", "mine-too": "u1", "theirs": "u2", "nobody-s": None}


@pytest.fixture
def ownership():
    return Ownership(lambda ids: {one: ROWS[one] for one in ids if one in ROWS})


@pytest.mark.parametrize(
    ("image_path", "analysis_id", "deletable"),
    [
        ("/srv/spool/x.jpg", "mine", True),
        ("/srv/spool/x.jpg", "new", True),
        ("/srv/spool/x.jpg", "nobody-s", True),
        ("s3://b/spool/mine", "mine", True),
        ("s3://b/spool/x.jpg", "mine", True),
        ("s3://b/spool/u2/x.jpg", "mine", True),
        ("s3://b/spool/mine-too", "mine", False),
        ("s3://b/spool/nobody-s", "mine", False),
        (None, "mine", True),  # refused later, for what it is
    ],
)
def test_one_s_own_may_be_uploaded_and_only_one_s_own_copy_is_deleted(ownership, image_path, analysis_id, deletable):
    assert ownership.check_upload("u1", image_path, analysis_id) is deletable


@pytest.mark.parametrize(
    ("image_path", "analysis_id", "said"),
    [
        ("/srv/spool/x.jpg", "theirs", "analysis id belongs to another user"),
        ("s3://b/spool/theirs", "theirs", "analysis id belongs to another user"),
        ("s3://b/spool/theirs", "mine", "a picture of another user"),
        ("s3://b/spool/theirs", "new", "a picture of another user"),
    ],
)
def test_somebody_else_s_is_refused(ownership, image_path, analysis_id, said):
    with pytest.raises(Permanent, match=said) as refusal:
        ownership.check_upload("u1", image_path, analysis_id)

    assert refusal.value.code == "request_invalid"


@pytest.mark.parametrize(
    ("analysis_id", "user_id", "may"),
    [("mine", "u1", True), ("mine", "u2", False), ("mine", "", False), ("mine", None, True), ("new", "u2", True)],
)
def test_on_whose_behalf_a_failure_is_noted(ownership, analysis_id, user_id, may):
    assert ownership.may_fail(analysis_id, user_id) is may
