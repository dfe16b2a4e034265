"""Arithmetic under the statistics: periods of a zone, histograms of latencies."""
