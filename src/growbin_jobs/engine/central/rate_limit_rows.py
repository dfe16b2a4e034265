"""The counters of rate limiters and barriers in the central database."""

import peewee


class RateLimitRow(peewee.Model):
    """Table ``rate_limits``. ``migrations/`` creates it; a test holds the two together."""

    name = peewee.TextField(primary_key=True)
    value = peewee.BigIntegerField()
    expires_at = peewee.DoubleField(index=True)

    class Meta:
        table_name = "rate_limits"
