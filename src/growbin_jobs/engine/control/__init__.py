"""The control channel: what people tell all nodes, and how each node obeys.

``table`` has it in the central database, ``mirror`` copies it into a file of each node, ``obeying`` follows that file
in each worker process. A node goes on with the latest file that it has while the database is away, and after a restart.
"""
