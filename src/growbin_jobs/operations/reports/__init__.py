"""The weekly report as pages for people."""
