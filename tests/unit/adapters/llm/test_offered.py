import json

import pytest

from growbin_jobs.adapters.llm.offered import read_models


def test_a_model_without_a_readable_end_has_none():
    data = [{"id": "a"}, {"id": "b", "shutdown_date": "some day"}, {"id": "c", "shutdown_date": "2027-01-14T00:00:00Z"}]

    ends = read_models(json.dumps({"data": data}).encode())

    assert [str(ends[name]) for name in "abc"] == ["None", "None", "2027-01-14"]


@pytest.mark.parametrize("document", [[{"id": "a"}], {"models": [{"name": "a"}]}, {"data": [{"id": "models/a"}]}])
def test_the_list_of_models_is_found_in_each_form(document):
    assert read_models(json.dumps(document).encode()) == {"a": None}
