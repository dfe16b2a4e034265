"""Stage 2 looks at no picture, and writes into no analysis, of somebody else."""

import pytest

from growbin_jobs.ai.ownership import picture_owner
from growbin_jobs.errors import Permanent
from growbin_jobs.picture_keys import PictureOwner

USERS = {"a1": "u1", "a2": "u2"}


def test_a_stored_picture_of_the_analysis_is_looked_at():
    assert picture_owner("a1", "s3://b/uploads/u1/a1/original.jpg", USERS.get) == PictureOwner("u1", "a1")


def test_a_picture_of_the_operators_own_serves_for_an_analysis_of_nobody():
    assert picture_owner("new", "s3://b/pictures/x.jpg", USERS.get) is None


@pytest.mark.parametrize(
    ("analysis_id", "s3_path"),
    [
        ("a1", "s3://b/uploads/u2/a2/original.jpg"),
        ("new", "s3://b/spool/a2"),
        ("new", "spool/a2"),
        ("new", "uploads/u2/a2/original.jpg"),
        ("a2", "uploads/u2/a2/original.jpg"),
        ("new", "s3://b/uploads/u2/a2/more/original.jpg"),
        ("a2", "s3://b/pictures/x.jpg"),
        (7, "s3://b/pictures/x.jpg"),
        ("new", {"s3_path": "s3://b/pictures/x.jpg"}),
    ],
)
def test_anything_else_is_refused(analysis_id, s3_path):
    with pytest.raises(Permanent) as refusal:
        picture_owner(analysis_id, s3_path, USERS.get)
    assert refusal.value.code == "request_invalid"
