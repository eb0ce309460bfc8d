"""A basket that is bought without a checkout: for stores' own tests, and for nothing else."""

from __future__ import annotations

from typing import Any

from oscar.core.loading import get_class

Free = get_class("shipping.methods", "Free")
OrderCreator = get_class("order.utils", "OrderCreator")
OrderTotalCalculator = get_class("checkout.calculators", "OrderTotalCalculator")
Selector = get_class("partner.strategy", "Selector")


def buy(basket: Any, *, user: Any = None, email: str = "") -> Any:
    """The order of a basket, with Oscar's own signals; `email` is a guest's."""
    basket.strategy = Selector().strategy(user=user)
    shipping = Free()
    charge = shipping.calculate(basket)
    guest = {"guest_email": email} if user is None and email else {}
    order = OrderCreator().place_order(
        basket=basket,
        total=OrderTotalCalculator().calculate(basket, charge),
        shipping_method=shipping,
        shipping_charge=charge,
        user=user,
        **guest,
    )
    basket.submit()
    return order
