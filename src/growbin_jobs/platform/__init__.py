"""The agent platform's jobs: health of agents and models, statistics, retention. ``docs/platform.md`` explains them.

``tables/`` has the SQL, one file a table or two; the services beside it are pure and get all that they know as values.
"""
