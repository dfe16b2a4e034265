"""The interfaces for scripts: our own, ``v2``, and Flower's."""
