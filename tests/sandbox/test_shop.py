"""The shop that everything else is shown in: stocked the same each time, and one can buy there."""

from __future__ import annotations

import functools
import re

import phonenumbers
import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_crosschannel.core.facts import EMAIL, SMS
from oscar_crosschannel.models import Contact
from oscar_crosschannel.services import dispatch
from sandbox.shop import people, pictures
from sandbox.shop.catalogue import CATEGORIES, ITEMS

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


draw_once = functools.cache(pictures.draw)


@pytest.fixture
def shop(monkeypatch) -> None:
    monkeypatch.setattr(pictures, "draw", draw_once)  # the same pictures, without four seconds of drawing
    call_command("seed_shop", verbosity=0)


@pytest.mark.usefixtures("shop")
def test_a_guest_can_buy_over_plain_http() -> None:
    Product, Order = get_model("catalogue", "Product"), get_model("order", "Order")
    client = Client()
    product = Product.objects.get(upc="QB-401")

    client.post(f"/basket/add/{product.pk}/", {"quantity": 2})
    client.post("/checkout/", {"username": "guest@example.com", "options": "anonymous"})
    address = {
        "first_name": "Gus",
        "last_name": "Guest",
        "line1": "1 Main Street",
        "line4": "Burlington",
        "postcode": "05401",
        "country": "US",
        "phone_number": "+12025550123",
    }
    assert client.post("/checkout/shipping-address/", address).status_code == 302
    client.get("/checkout/shipping-method/")
    client.get("/checkout/payment-method/")
    assert b"place_order_form" in client.get("/checkout/preview/").content
    done = client.post("/checkout/preview/", {"action": "place_order"}, follow=True)

    order = Order.objects.get()
    assert order.guest_email == "guest@example.com"
    assert order.number in done.content.decode()
    assert order.total_incl_tax == 18  # two infusions at the price of the shop's offer


@pytest.mark.usefixtures("shop")
def test_customers_and_staff_can_log_in() -> None:
    for email, password in [
        *((person.email, people.PASSWORD) for person in people.PEOPLE),
        (people.STAFF[1], people.STAFF[2]),
    ]:
        assert Client().login(username=email, password=password), email
    username, _, password = people.STAFF
    assert Client().login(username=username, password=password)


@pytest.mark.usefixtures("shop")
def test_the_home_page_and_every_category_list_products_with_pictures() -> None:
    client = Client()
    home = client.get("/", follow=True).content.decode()
    assert len(re.findall(r"<img[^>]+src=\"/media/cache/", home)) == 24
    for name in CATEGORIES:
        category = get_model("catalogue", "Category").objects.get(name=name)
        page = client.get(category.get_absolute_url()).content.decode()
        assert page.count("product_pod") == sum(item.category == name for item in ITEMS)


@pytest.mark.usefixtures("shop")
def test_search_finds_words_of_title_and_description() -> None:
    page = Client().get("/search/", {"q": "jasmine"}).content.decode()
    assert "Paper Crane" in page
    assert "Smoke &amp; Slate" not in page


@pytest.mark.usefixtures("shop")
def test_stocking_the_shop_again_changes_nothing() -> None:
    before = _counts()
    call_command("seed_shop", verbosity=0)
    assert _counts() == before
    assert before["catalogue.Product"] == before["catalogue.ProductImage"] == len(ITEMS)


@pytest.mark.usefixtures("shop")
def test_everybody_has_agreed_to_what_the_list_says() -> None:
    dispatch.tick(timezone.now())  # takes the box that was ticked and asks for its confirmation
    for person in people.PEOPLE:
        contact = Contact.objects.get(user__email=person.email)
        answers = {
            point.channel: {consent.answer for consent in point.consents.all()}
            for point in contact.points.all()
        }
        assert answers[EMAIL] == ({person.email_consent} if person.email_consent else set()), person.email
        assert answers[SMS] == ({person.sms_consent} if person.sms_consent else set()), person.email


def test_the_same_product_gets_the_same_picture() -> None:
    item = ITEMS[0]
    assert pictures.draw(item.picture, item.title) == pictures.draw(item.picture, item.title)


def test_all_phone_numbers_are_valid_and_different() -> None:
    numbers = [person.phone for person in people.PEOPLE]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)
    assert len(set(numbers)) == len({person.zone for person in people.PEOPLE}) == 6


def _counts() -> dict[str, int]:
    names = [
        "address.Country",
        "address.UserAddress",
        "oscar_crosschannel.Contact",
        "oscar_crosschannel.ConsentEvent",
        "auth.User",
        "catalogue.Category",
        "catalogue.Product",
        "catalogue.ProductImage",
        "flatpages.FlatPage",
        "offer.ConditionalOffer",
        "offer.Range",
        "order.ShippingEventType",
        "partner.StockRecord",
    ]
    return {name: get_model(*name.split(".")).objects.count() for name in names}
