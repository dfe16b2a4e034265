"""Where a bucket is signed for in another way than ours, botocore sends everything."""

from types import SimpleNamespace

import pytest

from growbin_jobs.adapters.objects.s3_requests import NotPlain, S3Requests

PLAIN = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261129%2Fap-northeast-2%2Fs3%2Faws4_request"


def client(address: str, **inside: object) -> SimpleNamespace:
    return SimpleNamespace(generate_presigned_url=lambda *_, **__: address, exceptions=None, **inside)


CONNECTIONS = {"_endpoint": SimpleNamespace(http_session=object())}


def test_a_plain_bucket_is_signed_for_here() -> None:
    S3Requests(client(f"https://b.s3.example/growbin-any-key?{PLAIN}", **CONNECTIONS), None, "b")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "inside"),
    [
        (PLAIN.replace("HMAC-SHA256", "ECDSA-P256-SHA256"), CONNECTIONS),  # an access point of several regions
        (PLAIN.replace("%2Fs3%2F", "%2Fs3-outposts%2F"), CONNECTIONS),
        (f"{PLAIN}&X-Amz-S3session-Token=t", CONNECTIONS),  # a directory bucket
        ("AWSAccessKeyId=AKID&Signature=s&Expires=1", CONNECTIONS),  # version 2
        (PLAIN, {}),  # another botocore
        (PLAIN, {"_endpoint": object()}),
    ],
)
def test_any_other_is_left_to_botocore(query: str, inside: dict[str, object]) -> None:
    with pytest.raises(NotPlain) as caught:
        S3Requests(client(f"https://b.s3.example/growbin-any-key?{query}", **inside), None, "b")  # type: ignore[arg-type]
    assert caught.value.lasting
