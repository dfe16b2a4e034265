"""Adapters: each wraps one outside thing (object store, pictures, model server, rule files)."""
