"""A worker group, its broker and its autoscaler as arithmetic, second by second. See docs/autoscaling.md."""
