import pytest

from growbin_jobs.picture_keys import PictureOwner, analysis_of_spooled, owner_of_stored


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("s3://b/uploads/u1/a1/original.jpg", PictureOwner("u1", "a1")),
        ("s3://b/uploads/u1/a1/model.jpg", PictureOwner("u1", "a1")),
        ("s3://b/uploads/u1/a1/", None),
        ("s3://b/uploads/u1/original.jpg", None),
        ("s3://b/uploads/u1/x/a1/original.jpg", None),
        ("s3://b/other/uploads/u1/a1/original.jpg", None),
        ("/uploads/u1/a1/original.jpg", None),
        (None, None),
        (5, None),
    ],
)
def test_whose_stored_picture_it_is(address, owner):
    assert owner_of_stored(address) == owner


@pytest.mark.parametrize(
    ("address", "analysis"),
    [
        ("s3://b/spool/a1", "a1"),
        ("s3://b/spool/a.jpg", "a.jpg"),
        ("s3://b/spool/", None),
        ("s3://b/spool/u1/a1", None),
        ("s3://b/uploads/u1/a1/original.jpg", None),
        ("/srv/spool/a1", None),
        (None, None),
    ],
)
def test_which_analysis_a_spooled_copy_may_belong_to(address, analysis):
    assert analysis_of_spooled(address) == analysis
