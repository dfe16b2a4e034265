"""Statistics of days, weeks and months."""
