"""The keeper: one process a node, whatever the number of workers, that keeps the node's journal.

It copies the journal to the central database, checkpoints and prunes it, sends what waits in its outbox, and reports
who works here. Each is a job with ``run_once()``, one class with its options, run side by side by ``service``.

::

    dramatiq ──fork──> worker processes            hold a kernel lock each (node/presence.py)
        └────fork──> python -m growbin_jobs.engine.keeper
                          │ waits for the node's lock (node/election.py), having loaded nothing yet
                          v
                       serves ──told to stop, or dramatiq is gone──> waits for the workers ──> last copy ──> exits

Each ``dramatiq`` of a node brings a candidate; one serves, the others stand by and take over when it dies. When none is
left a worker process starts one (middleware/ensure_keeper.py). It is no gevent process, whatever the workers are.
"""
