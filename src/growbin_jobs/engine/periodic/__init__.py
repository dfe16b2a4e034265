"""Jobs that run again and again: the timetable as data, and the runner that APScheduler wakes."""
