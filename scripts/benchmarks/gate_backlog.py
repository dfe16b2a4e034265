"""Hands in the pictures of ``scripts/bench gate-deliveries``: all different, each of a user of its own."""

import io
import sys

from PIL import Image

from growbin_jobs.client import submit_analysis


def main() -> None:
    """Hand in as many pictures as the first argument says."""
    for number in range(int(sys.argv[1])):
        data = io.BytesIO()
        colour = (number % 256, number // 256 % 256, 128)
        Image.new("RGB", (64, 64), colour).save(data, "PNG")
        submit_analysis(f"user-{number}", data.getvalue())


if __name__ == "__main__":
    main()
