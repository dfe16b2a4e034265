"""The actors: payload → work → next message."""

from email.message import EmailMessage

import dramatiq
from dramatiq.middleware import CurrentMessage

from growbin_jobs.engine import Permanent
from orders.app import engine, settings
from orders.mail import send

PRICES = {"tea": 3, "coffee": 5}

__all__ = ["accept_order", "confirm_order", "engine"]


@dramatiq.actor(queue_name="orders", store_results=True)
def accept_order(order: str, address: str, items: list[str]) -> int:
    """Price an order and start its confirmation.

    Returns:
      What it costs.
    """
    for item in items:
        if item not in PRICES:
            raise Permanent("item_unknown", item=item)
    total = sum(PRICES[item] for item in items)
    confirm_order.send(order, address, total)
    return total


@dramatiq.actor(queue_name="mail", max_retries=10, min_backoff=1_000, time_limit=60_000)
def confirm_order(order: str, address: str, total: int) -> None:
    """Send the confirmation. A crash may repeat it: the receiver knows it by its ``Message-ID``."""
    current = CurrentMessage.get_current_message()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.org", address, f"Order {order}"
    message["Message-ID"] = f"<{current.message_id if current else order}@orders.example.org>"
    message.set_content(f"Thank you. Your order costs {total}.\n")
    send(message, settings.mail_url, settings.data_dir / "mail")
