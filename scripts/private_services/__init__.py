"""What ``scripts/services`` is made of. Python 3.11's standard library only: it runs before the virtual environment exists.

``command`` reads the command line, ``lifecycle`` brings servers up and down, ``record`` and ``process`` remember what
was started so that only that is ended, ``ports`` finds free ports, ``install`` adds Debian's packages; one file for each
server says how it is started and when it answers.
"""
