"""Retention: what is deleted when, and the archives that are written and proven before."""
