"""Our signature is botocore's, for any key, header, body, region and kind of credentials."""

from typing import NamedTuple

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from hypothesis import example, given
from hypothesis import strategies as st

from growbin_jobs.adapters.objects.s3_signature import quoted, signed

NOW = "20261129T060000Z"


class Request(NamedTuple):
    method: str
    scheme: str
    host: str
    path: str
    headers: dict[str, str]
    data: bytes
    token: str | None
    region: str


WORDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20).map(str.strip)
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "PUT", "DELETE"]),
    scheme=st.sampled_from(["http", "https"]),
    host=st.sampled_from(["127.0.0.1:8333", "growbin.s3.ap-northeast-2.amazonaws.com", "[::1]:9000"]),
    path=st.sampled_from(["/", "/growbin/", "/below/a/path/growbin/"]),
    headers=st.dictionaries(st.sampled_from(["content-type", "cache-control", "x-amz-meta-a"]), WORDS.filter(bool)),
    data=st.binary(max_size=100),
    token=st.none() | st.text("abc+/=", min_size=1),
    region=st.sampled_from(["us-east-1", "ap-northeast-2"]),
)
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
    lambda key: not {"", ".", ".."} & set(key.split("/"))
)


@given(REQUESTS, KEYS)
@example(
    Request("PUT", "http", "a:1", "/b/", {"cache-control": "a   b"}, b"", "token", "us-east-1"), "분리 배출/+ ~%2F"
)
def test_it_is_the_one_that_botocore_makes(request: Request, key: str) -> None:
    keys = Credentials("AKIDEXAMPLE", "secret/+key", request.token)
    assert quoted(key) == percent_encode(key, safe="/~")
    path = request.path + quoted(key)
    ours = signed(
        request.method, request.host, path, request.headers, request.data,
        keys=keys.get_frozen_credentials(), region=request.region, now=NOW,
    )  # fmt: skip
    theirs = AWSRequest(request.method, f"{request.scheme}://{request.host}{path}", request.headers, request.data)
    theirs.context |= {
        "timestamp": NOW, "client_config": Config(s3={"payload_signing_enabled": True}), "signing": {},
    }  # fmt: skip
    auth = S3SigV4Auth(keys, "s3", request.region)
    auth._modify_request_before_signing(theirs)
    text = auth.string_to_sign(theirs, auth.canonical_request(theirs))
    assert ours["authorization"].endswith(f"Signature={auth.signature(text, theirs)}")
