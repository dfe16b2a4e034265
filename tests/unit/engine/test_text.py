from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.text import well_formed


@given(st.text(st.characters()))
def test_what_comes_out_can_be_stored_and_has_the_same_length(text):
    assert len(well_formed(text).encode().decode()) == len(text)


@given(st.text())
def test_text_stays_as_it_is(text):
    assert well_formed(text) == text


def test_an_error_names_what_can_be_stored():
    error = Permanent("model_access_denied", detail="\udcff.jpg")

    assert error.params == {"detail": "?.jpg"}
    assert str(error).encode()
