"""Releases: what scripts/release does, one part a file. See docs/release.md."""
