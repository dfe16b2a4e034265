"""Trains ``src/growbin_jobs/ai/offline/head.npz``: photos → views → features → softmax regression."""
