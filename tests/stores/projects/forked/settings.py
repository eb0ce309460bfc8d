"""A store with five of Oscar's apps forked by `oscar_fork_app`, and something of its own in each."""

from tests.stores.settings import *

INSTALLED_APPS = replaced(
    basket="forks.basket.apps.BasketConfig",
    checkout="forks.checkout.apps.CheckoutConfig",
    customer="forks.customer.apps.CustomerConfig",
    order="forks.order.apps.OrderConfig",
    voucher="forks.voucher.apps.VoucherConfig",
)
