import pytest

from growbin_jobs.picture_keys import PictureOwner, analysis_of_spooled, is_of_a_user, owner_of_stored


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


@pytest.mark.parametrize("place", ["s3://b/", "", "s3:///"])
@pytest.mark.parametrize("key", ["uploads/u1/a1/original.jpg", "uploads/x/y/z/w", "spool/a1", "spool/\n"])
def test_where_users_pictures_lie(place, key):
    assert is_of_a_user(place + key)
    assert not is_of_a_user(f"{place}x{key}")


@pytest.mark.parametrize("other", ["s3://b/pictures/mine.jpg", "spool", "", None, 5])
def test_where_none_of_them_lie(other):
    assert not is_of_a_user(other)
