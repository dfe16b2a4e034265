"""A real Prometheus with the project's rules, real processes, and failures that are staged: which alerts fire?

``scripts/stage_alerts`` runs all plays, the tests one of them.
"""
