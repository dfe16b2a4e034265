"""Hands in work, as a service in front of the workers does: one command a line on stdin, one line back for each.

``photos N``: analyses of N pictures that nobody has sent before. ``many N``: the same, all of one user. ``spooled N``:
first messages of N pictures in the spool folder, which need no database. ``nowhere N``: the same of pictures that are
not there.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from uuid import uuid4

from PIL import Image

from growbin_jobs.client import submit_analysis
from growbin_jobs.storage.actors import upload_image

SPOOL = Path(os.environ["GROWBIN_DATA_DIR"], "spool")


def photo() -> io.BytesIO:
    """Return a picture like no other."""
    picture, kept = Image.frombytes("L", (96, 96), os.urandom(96 * 96)), io.BytesIO()
    picture.convert("RGB").resize((480, 480)).save(kept, "JPEG")
    kept.seek(0)
    return kept


def hand_in(what: str) -> None:
    """Hand in one."""
    name = uuid4().hex
    if what in ("photos", "many"):
        submit_analysis(name if what == "photos" else "one", photo())
        return
    path = SPOOL / f"{name}.jpg"
    if what == "spooled":
        SPOOL.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo().read())
    upload_image.send(name, str(path), name)


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        what, number = line.split()
        for _ in range(int(number)):
            hand_in(what)
        print("done", flush=True)


if __name__ == "__main__":
    main()
