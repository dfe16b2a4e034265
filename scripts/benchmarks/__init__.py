"""Benchmarks, a module for each subcommand of ``scripts/bench``. docs/performance.md holds the figures."""
