"""``scripts/bench tasks``: this project, plain Dramatiq and Celery on the same RabbitMQ.

======================  ============================================================================
``command.py``          the command line and its tables
``systems.py``          who is compared: command lines, environments, messages
``dramatiq_worker.py``  the module that ``dramatiq`` and ``dramatiq-gevent`` run
``celery_worker.py``    the module that ``celery worker`` runs
``tally.py``            which chains have run to their end, shared by all worker processes
``rabbit.py``           a vhost for each set of workers, loading messages, counting what is left
``workers.py``          worker processes: start, freeze, thaw, look at, kill
``measurement.py``      warm up, load, time the drain, check that nothing is missing
``figures.py``          medians and ratios
``chart.py``            the picture for the docs
======================  ============================================================================
"""
