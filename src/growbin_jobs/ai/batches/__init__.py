"""Paid calls in batches: what has time is collected, sent in one file at half the price, and read within a day."""
