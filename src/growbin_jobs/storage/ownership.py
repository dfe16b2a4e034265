"""Checks that an analysis belongs to the user in whose name a message comes."""

from collections.abc import Callable, Mapping

from growbin_jobs.errors import Forbidden
from growbin_jobs.picture_keys import analysis_of_spooled


class Ownership:
    """Compares the user of a message with the owners of the analyses that it names.

    Parameters:
      owners: Returns the owner of each of some analyses that exists; None as owner where its row does not say.
    """

    def __init__(self, owners: Callable[[list[str]], Mapping[str, str | None]]) -> None:
        self._owners = owners

    def check_upload(self, user_id: str, image_path: str, analysis_id: str) -> bool:
        """Refuse an upload into somebody else's analysis, or of the picture that somebody else handed in.

        Parameters:
          user_id: Of the message.
          image_path: Of the message; may name the spooled copy of another analysis.
          analysis_id: Of the message.

        Returns:
          True when the picture may be deleted from the spool afterwards: it belongs to no other analysis.

        Raises:
          Forbidden: Either of them is another user's.
        """
        spooled = analysis_of_spooled(image_path)
        other = spooled if spooled != analysis_id else None
        owners = self._owners([analysis_id, *([other] if other else [])])
        if owners.get(analysis_id) not in (None, user_id):
            raise Forbidden("this analysis id belongs to another user")
        if other is not None and owners.get(other) not in (None, user_id):
            raise Forbidden("image_path names a picture of another user")
        return other is None or other not in owners

    def may_fail(self, analysis_id: str, user_id: str | None) -> bool:
        """Return True when a failure of an analysis may be noted on behalf of a user.

        Parameters:
          analysis_id: The analysis.
          user_id: Of the message that failed; None when a previous version did not say.
        """
        return user_id is None or self._owners([analysis_id]).get(analysis_id) in (None, user_id)
