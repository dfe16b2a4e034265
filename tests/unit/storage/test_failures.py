from growbin_jobs.storage.failures import Failures


class Store:
    def __init__(self):
        self.calls = []

    def failed(self, analysis_id, **values):
        self.calls.append((analysis_id, values))
        return True


def test_the_sentence_is_in_the_configured_language():
    store = Store()

    Failures(store, language="ko").record("a1", stage="upload", code="picture_missing", params={})

    assert "사진 파일을 찾을 수 없습니다" in store.calls[0][1]["sentence"]
    assert store.calls[0][1]["code"] == "picture_missing"


def test_a_code_of_a_newer_version_still_gets_a_sentence():
    store = Store()

    Failures(store, language="en").record("a1", stage="upload", code="invented_tomorrow", params={})

    assert store.calls[0][1]["sentence"]
    assert store.calls[0][1]["code"] == "invented_tomorrow"
