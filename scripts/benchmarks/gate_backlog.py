"""Hands in the pictures of ``scripts/bench gate-deliveries``: all different, each of a user of its own."""

import io
import sys

from PIL import Image

from growbin_jobs.client import submit_analysis


def main() -> None:
    """Hand in as many pictures as the first argument says."""
    for number in range(int(sys.argv[1])):
        data = io.BytesIO()
        # Squares, since colours that are alike may be one picture to the model, and are asked about once then.
        squares = Image.frombytes("L", (8, 4), bytes(255 * (number >> bit & 1) for bit in range(32)))
        squares.resize((64, 64), Image.Resampling.NEAREST).save(data, "PNG")
        submit_analysis(f"user-{number}", data.getvalue())


if __name__ == "__main__":
    main()
