"""Connections to RabbitMQ: one thread each, shared by all who publish or consume in a process."""
