"""Messages that may kill their worker process: they run alone, in a process of their own beside the workers.

::

    delivered ──> ran twice when its process died? ──no──> runs as any other
                        │ yes: a suspect
                        v
              waits beside the worker's threads ──> runs alone in a child process of the worker
                                                        │            │
                                                   it ends      the child dies
                                                        │            │
                                                   settled      the policy: run it alone again, or give it up

``policy`` decides and is pure. ``runs`` is the worker's side, ``child`` the process that runs them, ``channel`` what
they say to each other. ``docs/delivery.md`` has the rules for people.
"""
