"""``python -m orders.place ORDER ADDRESS ITEM…``: hand an order in, wait, and print what it costs."""

import sys

from orders.jobs import accept_order

if __name__ == "__main__":
    order, address, *items = sys.argv[1:]
    print(accept_order.send(order, address, items).get_result(block=True, timeout=30_000))
