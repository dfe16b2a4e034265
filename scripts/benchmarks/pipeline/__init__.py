"""``scripts/bench pipeline``: the whole main job here and on Celery, photos in, advice out."""
