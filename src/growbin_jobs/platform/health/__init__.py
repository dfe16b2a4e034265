"""Health of agents and models: what a check found, what state that makes, and who is told."""
