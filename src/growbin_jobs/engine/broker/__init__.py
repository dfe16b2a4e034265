"""How messages travel: RabbitMQ, or a queue in a SQLite file that the processes of one machine share."""
