"""Periodic jobs of the cluster: each due time has its effect once, whatever schedulers and workers do.

::

    table ──due times──> planning ──rows──> ledger ──claimed, fenced──> message ──> effects.take ──> the effect, once
    (data)  (pure)       (pure)             (central database)                      (in the worker)

``table`` is the jobs as data, ``planning`` and ``claiming`` decide, ``ledger`` keeps, ``tick`` sends, ``effects`` is
what actors use, ``verify`` recomputes all of it by another algorithm.
"""
