"""The platform's tables in the central database, with all SQL that reads and writes them."""
