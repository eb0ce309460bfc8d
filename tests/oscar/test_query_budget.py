"""What the app costs inside a shopper's request, measured against the shop without it.

A savepoint and its release count. Both measurements run in one test, on fresh shoppers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse, reverse_lazy
from oscar.test import factories
from pytest_django.asserts import assertRedirects

from oscar_crosschannel.conf import settings as app_settings

from .conftest import Shopper, make_user, statements, unplugged

Work = Callable[[], Any]
TICKED = {"cc_email": "1", "cc_sms": "1", "cc_phone": "+12065550123"}


def extra(settings: Any, prepare: Callable[[Shopper], Work], *, leads_to: str = "") -> int:
    """How many statements more than the bare shop a prepared request takes.

    `leads_to`: the page it redirects to; else it must answer with a page.
    """
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    with unplugged():
        prepare(Shopper())()  # fills the caches of sites and content types
        bare, bare_response = statements(prepare(Shopper()))
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = True
    full, response = statements(prepare(Shopper()))
    for answer in (bare_response, response):
        if leads_to:
            assertRedirects(answer, leads_to, fetch_redirect_response=False)
        else:
            assert answer.status_code == 200
    return full - bare


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("country")]

BASKET = reverse_lazy("basket:summary")
SHIPPING = reverse_lazy("checkout:shipping-address")
ACCOUNT = "/accounts/profile/"
THANKS = reverse_lazy("checkout:thank-you")


def test_a_guests_basket_costs_nothing_until_the_guest_is_known(settings: Any, product: Any) -> None:
    def add(shopper: Shopper) -> Work:
        return lambda: shopper.add(product)

    assert extra(settings, add, leads_to=BASKET) == 0


def test_a_known_guests_basket_costs_three(settings: Any, product: Any) -> None:
    def add(shopper: Shopper) -> Work:
        shopper.add(product)
        shopper.enter_checkout("guest@example.com")
        return lambda: shopper.add(product)

    assert extra(settings, add, leads_to=BASKET) == 3


def test_an_accounts_basket_costs_three(settings: Any, product: Any) -> None:
    def add(shopper: Shopper) -> Work:
        shopper.client.force_login(make_user(f"ada{id(shopper)}@example.com"))
        shopper.add(product)
        return lambda: shopper.add(product)

    assert extra(settings, add, leads_to=BASKET) == 3


def test_the_gateway_costs_three_with_both_boxes_answered(settings: Any, product: Any) -> None:
    def enter(shopper: Shopper) -> Work:
        shopper.add(product)
        url = reverse("checkout:index")
        data = {
            "username": "guest@example.com",
            "options": "anonymous",
            **shopper.marker(url),
            **TICKED,
        }
        return lambda: shopper.client.post(url, data)

    assert extra(settings, enter, leads_to=SHIPPING) <= 3


def test_a_registration_costs_at_most_six(settings: Any) -> None:
    emails = iter("abc")

    def register(shopper: Shopper) -> Work:
        url = reverse("customer:register")
        data = {
            "email": f"{next(emails)}@example.com",
            "password1": "unhurried-tea",
            "password2": "unhurried-tea",
            **shopper.marker(url),
            **TICKED,
        }
        return lambda: shopper.client.post(url, data)

    assert extra(settings, register, leads_to=ACCOUNT) <= 6


def at_preview(shopper: Shopper, product: Any, *, guest: bool = False) -> None:
    shopper.add(product)
    if guest:
        shopper.client.post(
            reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"}
        )
    shopper.give_address()
    shopper.choose_shipping()


def test_the_preview_of_a_guest_costs_one_in_a_savepoint(settings: Any, product: Any) -> None:
    def preview(shopper: Shopper) -> Work:
        at_preview(shopper, product, guest=True)
        return shopper.preview

    assert extra(settings, preview) == 3


def test_the_preview_of_a_guest_who_was_asked_costs_nothing(settings: Any, product: Any) -> None:
    def preview(shopper: Shopper) -> Work:
        shopper.add(product)
        shopper.enter_checkout("guest@example.com")
        shopper.give_address()
        shopper.choose_shipping()
        return shopper.preview

    assert extra(settings, preview) == 0


def test_the_page_of_registration_costs_one_in_a_savepoint(settings: Any) -> None:
    def look(shopper: Shopper) -> Work:
        return lambda: shopper.client.get(reverse("customer:register"))

    assert extra(settings, look) == 3


def test_the_preview_of_an_account_costs_one_in_a_savepoint(settings: Any, product: Any) -> None:
    def preview(shopper: Shopper) -> Work:
        shopper.client.force_login(make_user(f"ada{id(shopper)}@example.com"))
        at_preview(shopper, product)
        return shopper.preview

    assert extra(settings, preview) == 3


@pytest.mark.parametrize("signed_in", [False, True])
def test_an_order_costs_at_most_eight_with_its_consents(settings: Any, product: Any, signed_in: bool) -> None:
    def place_order(shopper: Shopper) -> Work:
        if signed_in:
            shopper.client.force_login(make_user(f"ada{id(shopper)}@example.com"))
        at_preview(shopper, product, guest=not signed_in)
        url = reverse("checkout:preview")
        marker = shopper.marker(url)
        assert bool(marker) == app_settings.TEMPLATE_INJECTION
        return lambda: shopper.client.post(url, {"action": "place_order", **marker, **TICKED})

    assert extra(settings, place_order, leads_to=THANKS) <= 8


def test_other_pages_cost_nothing(settings: Any, product: Any) -> None:
    user = make_user("ada@example.com")
    for url in (
        reverse("catalogue:index"),
        product.get_absolute_url(),
        reverse("basket:summary"),
        reverse("customer:profile-view"),
    ):

        def visit(shopper: Shopper, url: str = url) -> Work:
            shopper.client.force_login(user)
            return lambda: shopper.client.get(url)

        assert extra(settings, visit) == 0


def test_the_costs_do_not_grow_with_the_basket(settings: Any) -> None:
    def place_order(shopper: Shopper) -> Work:
        shopper.client.force_login(make_user(f"ada{id(shopper)}@example.com"))
        for number in range(4):
            shopper.add(factories.create_product(title=f"Tea {number}", price=5, num_in_stock=9))
        shopper.give_address()
        shopper.choose_shipping()
        url = reverse("checkout:preview")
        data = {"action": "place_order", **shopper.marker(url), **TICKED}
        return lambda: shopper.client.post(url, data)

    assert extra(settings, place_order, leads_to=THANKS) <= 8
