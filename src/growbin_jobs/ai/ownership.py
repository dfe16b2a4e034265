"""Checks that stage 2 looks at a picture of the analysis that its message names, and at nobody else's."""

from collections.abc import Callable

from growbin_jobs.errors import Forbidden, Permanent
from growbin_jobs.picture_keys import PictureOwner, is_of_a_user, owner_of_stored


def picture_owner(analysis_id: str, s3_path: str, user_of: Callable[[str], str | None]) -> PictureOwner | None:
    """Return whose stored picture an analysis is to be made of; None for a picture of the operator's own.

    Parameters:
      analysis_id: Of the message.
      s3_path: Of the message.
      user_of: Returns the user of an analysis; None where it is nobody's.

    Raises:
      Permanent: It is the picture of another analysis, one that stage 1 has not judged, or no address.
      Forbidden: It is nobody's picture, and the analysis somebody's.
    """
    if not isinstance(analysis_id, str) or not isinstance(s3_path, str):
        raise Permanent("request_invalid", detail="analysis_id and s3_path must be text")
    owner = owner_of_stored(s3_path)
    if owner is not None and owner.analysis_id != analysis_id:
        raise Permanent("request_invalid", detail="s3_path is the picture of another analysis")
    if owner is None and is_of_a_user(s3_path):  # a copy in the spool, or a key without its bucket
        raise Permanent("request_invalid", detail="s3_path is no address that stage 1 has returned")
    if owner is None and user_of(analysis_id) is not None:
        raise Forbidden("this analysis id belongs to a user, and s3_path does not")
    return owner
