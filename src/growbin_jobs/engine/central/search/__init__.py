"""Finding tasks in the central database: a grammar, pages that stay in place, and counts with a cap."""
