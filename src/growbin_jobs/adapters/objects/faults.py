"""Translates botocore's errors into ours: what waits, what spends a retry, what is missing.

Everything that an operator can mend waits, as an outage does: a key that expired at night must cost nobody's analysis.
The message says what to mend, and never holds a key of the object or of the account.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from growbin_jobs.adapters.objects.answers import ForeignAnswer
from growbin_jobs.adapters.objects.port import Reason, StoreFault
from growbin_jobs.errors import GrowbinError, NotFound, Transient

OUTAGE_WAIT: Final = 10.0
OPERATOR_WAIT: Final = 60.0

#: S3's codes for "later" beside the statuses 429 and 5xx ("Error responses", Amazon S3 API Reference).
LATER: Final = frozenset(
    {
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)

#: Codes, mostly with status 403, that tell of the credentials or the clock, and not of one object.
BAD_CREDENTIALS: Final = frozenset(
    {"AccountProblem", "InvalidAccessKeyId", "NotSignedUp", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
#: Codes that tell of credentials that were good once, mostly with status 400.
OLD_CREDENTIALS: Final = frozenset({"ExpiredToken", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired"})

#: Codes that tell of this machine's clock.
WRONG_CLOCK: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed"})

#: Codes with status 400 that our own configuration causes: the wrong region, mostly.
MISCONFIGURED: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "IncorrectEndpoint",
        "InvalidBucketName",
        "InvalidLocationConstraint",
        "InvalidRegion",
    }
)

#: Codes of S3-compatible servers that have no room left, whatever the status.
FULL: Final = frozenset(
    {
        "QuotaExceeded",
        "InsufficientStorage",
        "InsufficientCapacity",
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
    }
)

#: Codes by which a server asks for the bucket in the host's name (Alibaba's; Huawei's).
BUCKET_IN_HOST: Final = frozenset({"SecondLevelDomainForbidden", "VirtualHostDomainRequired"})

#: Stands for a code that is missing, or none.
NO_CODE: Final = "without a code"
#: A code that may be shown: it is the server's, and may be anything.
_CODE: Final = re.compile(r"\w[\w.-]{0,63}", re.ASCII)


@contextlib.contextmanager
def translated(doing: str, bucket: str) -> Iterator[None]:
    """Translate botocore's errors in the block.

    Parameters:
      doing: What is tried, as in "could not ...".
      bucket: For the message.

    Raises:
      NotFound: There is no such object.
      StoreFault: S3 is away or overloaded, refuses us, or our configuration is wrong.
      Transient: Anything else that S3 or botocore finds fault with.
    """
    try:
        yield
    except (GrowbinError, GeneratorExit):
        raise
    except Exception as error:
        ours = _translate(error, f"Could not {doing}", bucket)
        if ours is None:
            raise
        # Not "from error": botocore's own words hold the object's whole address, and that a user's id.
        raise ours from None


def _translate(error: Exception, what: str, bucket: str) -> GrowbinError | None:
    import urllib3.exceptions
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    kind = type(error).__name__
    if isinstance(error, aws.ClientError):
        answer = error.response
        headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
        if answer["Error"].get("Code") == "500" and headers.get("content-type", "").startswith("text/html"):
            # So botocore reports a page with 200, too.
            return StoreFault(
                f"{what}: a web page answers, and no S3 server. Check GROWBIN_S3_ENDPOINT_URL, and what is before it.",
                wait=OUTAGE_WAIT,
                reason="failed",
            )
        code = str(answer["Error"].get("Code") or "")
        if not _CODE.fullmatch(code):
            code = NO_CODE
        return _of_answer(answer["ResponseMetadata"]["HTTPStatusCode"], code, what, bucket)
    # botocore asks a server that redirects everything where the bucket is, and for that answer again, without an end.
    # A header or an element that it cannot read, such as a date, is an error of Python's own.
    unread = (ValueError, LookupError, TypeError, AttributeError)
    foreign = isinstance(error, unread) and not isinstance(error, (aws.BotoCoreError, aws.HTTPClientError))
    if foreign or isinstance(error, (ForeignAnswer, ResponseParserError, RecursionError)):
        return _to_mend(f"{what}: what answers is no S3 server. Check GROWBIN_S3_ENDPOINT_URL.")
    if isinstance(
        error,
        (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError, urllib3.exceptions.HTTPError, OSError),
    ):
        return StoreFault(
            f"{what}: S3 cannot be reached ({kind}). Check GROWBIN_S3_ENDPOINT_URL and the network.",
            wait=OUTAGE_WAIT,
            reason="unreachable",
        )
    if isinstance(error, (aws.ParamValidationError, aws.ChecksumError, aws.FlexibleChecksumError)):
        return Transient(f"{what}: {kind}.")
    if isinstance(error, aws.BotoCoreError):
        return _to_mend(
            f"{what}: no valid AWS credentials or configuration ({kind}). Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give this machine a role; check AWS_PROFILE and AWS_DEFAULT_REGION."
        )
    return None


def _of_answer(status: int, code: str, what: str, bucket: str) -> GrowbinError:
    said = f"{status} {code}"
    if code == "NoSuchKey":
        return NotFound("There is no such object in S3.")
    if code == "NoSuchBucket":
        return _to_mend(f"{what}: there is no bucket {bucket}. Create it, or set GROWBIN_OBJECT_STORE_URL.")
    if status == 507 or code in FULL:
        return _to_mend(f"{what}: S3 has no room left for the bucket {bucket} ({said}). Free some, or raise its quota.")
    if status == 501 or code == "NotImplemented":
        return _to_mend(
            f"{what}: S3 does not know a part of its own protocol that is needed ({said}). Update the server behind "
            "GROWBIN_S3_ENDPOINT_URL, or take another one."
        )
    if status == 413:
        return _to_mend(
            f"{what}: S3, or a proxy before it, takes no object that large ({said}). Raise its limit.", reason="refused"
        )
    if status >= 500 or status == 429 or code in LATER:
        return StoreFault(f"{what}: S3 is overloaded or broken ({said}).", wait=OUTAGE_WAIT, reason="failed")
    if code in WRONG_CLOCK:
        return _to_mend(f"{what}: this machine's clock differs from S3's by more than 15 minutes ({code}). Set it.")
    if code in OLD_CREDENTIALS:
        return _to_mend(
            f"{what}: the AWS credentials have expired ({said}). Renew them, AWS_SESSION_TOKEN "
            "too; restart what runs after a change."
        )
    if code in BUCKET_IN_HOST:
        text = f"{what}: S3 wants the bucket in the host's name ({said}), as the next request has it. Name the host in "
        return StoreFault(f"{text}GROWBIN_S3_ENDPOINT_URL, not by its number.", wait=OUTAGE_WAIT, reason="failed")
    if status in (401, 402, 403) or code in BAD_CREDENTIALS:
        return _to_mend(
            f"{what}: S3 refuses access to the bucket {bucket} ({said}). Check the AWS credentials, their rights to "
            "Get, Put, Delete and List, and this machine's clock; restart what runs after a change of credentials.",
            reason="refused" if status == 403 and code not in BAD_CREDENTIALS else "misconfigured",
        )
    # A 404 that is neither of the two above comes from something else that speaks HTTP, as does a page.
    if status < 400 or status in (404, 405, 407, 421) or code in MISCONFIGURED or code == NO_CODE:
        return _to_mend(
            f"{what}: wrong server or region ({said}). Check GROWBIN_S3_ENDPOINT_URL and AWS_DEFAULT_REGION."
        )
    return Transient(f"{what}: S3 answered {said}.")


def _to_mend(message: str, *, reason: Reason = "misconfigured") -> StoreFault:
    return StoreFault(message, wait=OPERATOR_WAIT, reason=reason)
