"""What ``scripts/services`` is made of. Standard library only: it runs before there is a virtual environment.

``command`` reads the command line, ``lifecycle`` brings servers up and down, ``record`` and ``process`` remember what
was started so that only that is ended, ``ports`` finds free ports, ``install`` adds Debian's packages; one file for
each server says how it is started and when it answers.
"""
