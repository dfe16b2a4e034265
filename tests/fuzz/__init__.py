"""A fuzz test of the engine: odd messages, options, errors, results and bytes through real workers on both brokers."""
