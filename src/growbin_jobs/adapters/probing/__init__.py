"""HTTP requests to addresses that other people chose: only to public ones, with one deadline, and little is read."""
