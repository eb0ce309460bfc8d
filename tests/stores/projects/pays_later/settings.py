"""A store that makes the order first and has it paid afterwards, at a bank that may decline."""

from tests.stores.settings import *

ROOT_URLCONF = "tests.stores.projects.pays_later.urls"
OSCAR_INITIAL_ORDER_STATUS = "Pending payment"
OSCAR_ORDER_STATUS_PIPELINE = {
    "Pending payment": ("Paid", "Payment declined"),
    "Payment declined": ("Paid",),
    "Paid": (),
}
OSCAR_ORDER_STATUS_CASCADE = {}
CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Payment declined"]
