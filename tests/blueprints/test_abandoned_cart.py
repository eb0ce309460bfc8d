"""What the abandoned-cart flow says, and when it has nothing to say any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.utils import timezone
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_crosschannel.blueprints.abandoned_cart import SHOWN, AbandonedCart
from oscar_crosschannel.core.plan import Context, Run
from oscar_crosschannel.core.sms import Encoding, segments
from oscar_crosschannel.models import Contact
from oscar_crosschannel.services import contacts
from oscar_crosschannel.services.rendering import CopyKey, render

Basket, BasketLine = get_model("basket", "Basket"), get_model("basket", "Line")

pytestmark = pytest.mark.django_db

CART = AbandonedCart()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def tea(db: None) -> Any:
    return factories.create_product(title="Earl Grey", price=Decimal("8.50"), num_in_stock=20)


@pytest.fixture
def basket(tea: Any) -> Any:
    return basket_of(tea, quantity=2)


def basket_of(*products: Any, quantity: int = 1, owner: Any = None) -> Any:
    basket = factories.create_basket(empty=True)
    for product in products:
        basket.add_product(product, quantity)
    Basket.objects.filter(pk=basket.pk).update(owner=owner)
    return basket


def make_user(email: str) -> Any:
    return get_user_model().objects.create_user(email, email)


def run(basket: Any, now: datetime, *, message_id: int = 1, **fields: Any) -> Run:
    contact = fields.pop("contact", None) or Contact.objects.create(created_at=now)
    return Run(
        **{
            "message_id": message_id,
            "step": "nudge",
            "channel": "email",
            "contact_id": contact.pk,
            "enrolment_id": None,
            "user_id": contact.user_id,
            "name": "Ada",
            "language": "en",
            "email": "ada@example.com",
            "subjects": {"basket": basket.pk},
            "anchor": now,
            "now": now,
            **fields,
        }
    )


def context_of(basket: Any, now: datetime, **fields: Any) -> Context:
    return CART.context([run(basket, now, **fields)])[1]


def wanted(basket: Any, now: datetime, **fields: Any) -> bool:
    return CART.still_wanted([run(basket, now, **fields)]) == {1}


# The plan


def test_an_email_after_an_hour_and_a_text_with_a_code_after_a_day(now: datetime) -> None:
    plan = AbandonedCart.plan()
    nudge, code = plan.steps
    assert (nudge.channels, plan.due_at(nudge, now)) == (("email",), now + timedelta(hours=1))
    assert (code.channels, plan.due_at(code, now)) == (("sms",), now + timedelta(hours=24))
    assert plan.expires_at(code, now) == now + timedelta(hours=48)
    assert (nudge.voucher, code.voucher) == (False, True)
    assert plan.clicks_answer
    assert plan.title == "Baskets left behind"


# What it says


def test_the_context_tells_each_line_and_the_total(basket: Any, now: datetime) -> None:
    context = context_of(basket, now)
    assert context.values["items"] == [
        {
            "title": "Earl Grey",
            "quantity": 2,
            "unit_price": "$8.50",
            "price": "$17.00",
            "full_price": "",
            "is_available": True,
            "availability": "In stock",
            "picture": "",
        }
    ]
    assert context.values["total"] == "$17.00"
    assert context.values["count"] == 2
    assert list(context.links) == ["basket"]
    assert context.links["basket"].startswith("/cc/r/")


def test_prices_are_those_after_the_shops_offers(basket: Any, now: datetime) -> None:
    factories.create_offer(name="Twenty off for all")
    (item,) = context_of(basket, now).values["items"]
    assert (item["full_price"], item["price"]) == ("$17.00", "$13.60")
    assert context_of(basket, now).values["total"] == "$13.60"


def test_money_is_written_as_the_language_writes_it(basket: Any, now: datetime) -> None:
    assert context_of(basket, now, language="de").values["total"] == "17,00\xa0$"
    (item,) = context_of(basket, now, language="de").values["items"]
    assert item["availability"] == "Verfügbar"


def test_the_picture_has_an_absolute_address(basket: Any, tea: Any, now: datetime, settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    factories.create_product_image(tea, original=ContentFile(b"GIF89a", name="tea.gif"))
    (item,) = context_of(basket, now).values["items"]
    assert item["picture"].startswith("https://shop.example/media/images/products/tea")


def test_what_is_running_out_is_said(basket: Any, tea: Any, now: datetime) -> None:
    tea.stockrecords.update(num_in_stock=1)
    (item,) = context_of(basket, now).values["items"]
    assert (item["is_available"], item["availability"]) == (False, "A maximum of 1 can be bought")
    tea.stockrecords.update(num_in_stock=0)
    (item,) = context_of(basket, now).values["items"]
    assert (item["is_available"], item["availability"]) == (False, "No stock available")


def test_what_has_no_price_any_more_is_shown_without(basket: Any, tea: Any, now: datetime) -> None:
    tea.stockrecords.update(price=None)
    context = context_of(basket, now)
    (item,) = context.values["items"]
    assert (item["price"], item["unit_price"], item["full_price"]) == ("", "", "")
    assert context.values["total"] == "$0.00"


def test_hidden_and_vanished_products_are_left_out(tea: Any, now: datetime) -> None:
    hidden = factories.create_product(title="Secret", price=5, num_in_stock=9)
    parent = factories.create_product(title="Hidden kind", structure="parent", is_public=False)
    child = factories.create_product(title="Size M", price=5, num_in_stock=9, parent=parent)
    gone = factories.create_product(title="Gone", price=5, num_in_stock=9)
    basket = basket_of(tea, hidden, child, gone)
    type(hidden).objects.filter(pk=hidden.pk).update(is_public=False)
    gone.delete()
    values = context_of(basket, now).values
    assert [item["title"] for item in values["items"]] == ["Earl Grey"]
    assert values["total"] == "$8.50"


def test_a_long_basket_shows_its_first_lines_and_totals_all(now: datetime) -> None:
    products = [factories.create_product(title=f"Tea {n}", price=1, num_in_stock=9) for n in range(SHOWN + 2)]
    values = context_of(basket_of(*products), now).values
    assert [item["title"] for item in values["items"]] == [f"Tea {n}" for n in range(SHOWN)]
    assert values["more"] == 2
    assert values["total"] == "$12.00"


def test_a_basket_with_nothing_to_show_gets_no_context(basket: Any, now: datetime) -> None:
    basket.flush()
    assert CART.context([run(basket, now)]) == {}


def test_the_lines_of_all_baskets_are_read_by_one_statement(
    tea: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    def reads_of_lines(count: int) -> int:
        runs = [run(basket_of(tea), now, message_id=n) for n in range(count)]
        with django_assert_max_num_queries(100) as queries:
            assert len(CART.context(runs)) == count
        return sum('FROM "basket_line"' in query["sql"] for query in queries.captured_queries)

    assert reads_of_lines(1) == reads_of_lines(25) == 1


def test_a_guests_basket_merged_at_login_goes_on_as_the_accounts(
    basket: Any, tea: Any, now: datetime
) -> None:
    user = make_user("ada@example.com")
    contact = Contact.objects.create(user=user, created_at=now)
    accounts = basket_of(tea, quantity=1, owner=user)
    accounts.merge(basket)
    merged_run = run(basket, now, contact=contact)
    assert CART.still_wanted([merged_run]) == {1}
    (item,) = CART.context([merged_run])[1].values["items"]
    assert item["quantity"] == 3


# When there is nothing to say any more


@pytest.mark.rule(32)
def test_a_basket_with_something_in_it_is_wanted(basket: Any, now: datetime) -> None:
    assert wanted(basket, now)
    basket.freeze()
    assert wanted(basket, now)


@pytest.mark.rule(32)
def test_an_empty_deleted_or_finished_basket_is_not(basket: Any, tea: Any, now: datetime) -> None:
    for status in ("Submitted", "Merged", "Saved"):
        Basket.objects.filter(pk=basket.pk).update(status=status)
        assert not wanted(basket, now), status
    Basket.objects.filter(pk=basket.pk).update(status="Open")
    basket.flush()
    assert not wanted(basket, now)
    other = basket_of(tea)
    asked = run(other, now)
    other.delete()
    assert CART.still_wanted([asked]) == set()


def test_a_basket_of_hidden_products_only_is_not(basket: Any, tea: Any, now: datetime) -> None:
    type(tea).objects.filter(pk=tea.pk).update(is_public=False)
    assert not wanted(basket, now)


@pytest.mark.rule(32)
def test_a_basket_that_was_bought_is_not_though_it_is_open(basket: Any, now: datetime) -> None:
    order = factories.create_order()
    type(order).objects.filter(pk=order.pk).update(basket=basket)
    assert not wanted(basket, now)


@pytest.mark.rule(32)
@pytest.mark.parametrize("known_by", ["account", "email", "phone"])
def test_a_person_who_bought_something_else_since_is_not_chased(
    known_by: str, basket: Any, now: datetime
) -> None:
    user = make_user("ada@example.com") if known_by == "account" else None
    contact = Contact.objects.create(user=user, created_at=now)
    if known_by == "account":
        order = factories.create_order(user=user)
    elif known_by == "email":
        contacts.set_point(contact, "email", "Ada@example.com", source="test", now=now)
        order = factories.create_order(guest_email="ada@Example.com")
    else:
        contacts.set_point(contact, "sms", "+12065550123", source="test", now=now)
        address = factories.ShippingAddressFactory(phone_number="+12065550123")
        order = factories.create_order(guest_email="other@example.com", shipping_address=address)
    before, after = order.date_placed - timedelta(seconds=1), order.date_placed + timedelta(seconds=1)
    assert not wanted(basket, before, contact=contact)
    assert not wanted(basket, before, contact=contact, channel="sms", email="")
    assert wanted(basket, after, contact=contact)


def test_a_basket_untouched_for_two_months_is_not_chased(basket: Any, now: datetime) -> None:
    BasketLine.objects.update(date_updated=now - timedelta(days=59, hours=23))
    assert wanted(basket, now)
    BasketLine.objects.update(date_updated=now - timedelta(days=60, hours=1))
    assert not wanted(basket, now)


@pytest.mark.parametrize("count", [1, 25])
def test_asking_for_a_whole_chunk_takes_the_same_statements(
    count: int, tea: Any, now: datetime, django_assert_num_queries: Any
) -> None:
    runs = [run(basket_of(tea), now, message_id=n) for n in range(count)]
    for asked in runs:
        contact = Contact.objects.get(pk=asked.contact_id)
        contacts.set_point(contact, "email", f"{contact.pk}@example.com", source="test", now=now)
    with django_assert_num_queries(5):
        assert len(CART.still_wanted(runs)) == count


# The words


def words(step: str, channel: str, language: str, context: dict[str, Any], *parts: str) -> dict[str, str]:
    key = CopyKey(flow_id=0, flow_key="abandoned_cart", step_key=step, channel=channel, language=language)
    return render(key, None, parts, context)


def copy_context(basket: Any, now: datetime, language: str = "en", **more: Any) -> dict[str, Any]:
    return {
        "brand": "Quillbrook",
        "name": "Ada",
        "postal_address": "4 Weir Lane\nQuillbrook, VT 05099",
        "unsubscribe_url": "https://quillbrook.example/cc/u/AAEjRWeJq83vEjRWeJq8w/",
        "preferences_url": "https://quillbrook.example/cc/p/AAEjRWeJq83vEjRWeJq8w/",
        "why_url": "https://quillbrook.example/cc/w/AAEjRWeJq83vEjRWeJq8w/",
        "links": {"basket": "https://quillbrook.example/cc/l/AAEjRWeJq83vEjRWeJq8w/"},
        "voucher": {"code": "TEAABCDEFGHIJKL", "valid_until": now + timedelta(hours=72)},
        **context_of(basket, now, language=language).values,
        **more,
    }


LANGUAGES = ("en", "de", "fr")
SUBJECTS = {
    "en": "Ada, your basket is waiting",
    "de": "Ada, Ihr Warenkorb wartet",
    "fr": "Ada, votre panier vous attend",
}


@pytest.mark.rule(41)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_email_says_everything_in_the_contacts_language(
    language: str, basket: Any, now: datetime
) -> None:
    context = copy_context(basket, now, language)
    email = words("nudge", "email", language, context, "subject", "text", "html")
    assert email["subject"] == SUBJECTS[language]
    html = BeautifulSoup(email["html"], "html.parser")
    assert html.html is not None
    assert html.html["lang"] == language
    hrefs = {str(link["href"]) for link in html.select("a")}
    ways_out = {context["unsubscribe_url"], context["preferences_url"], context["why_url"]}
    assert hrefs == {context["links"]["basket"], *ways_out}
    for body in (email["text"], html.get_text()):
        assert "Earl Grey" in body
        assert context["total"] in body
        assert context["items"][0]["availability"] in body
        assert "Quillbrook, VT 05099" in body
    assert context["links"]["basket"] in email["text"]
    assert all(url in email["text"] for url in ways_out)
    assert len(html.select("a.button")) == 1


def test_titles_are_escaped_in_html_and_plain_in_text(now: datetime) -> None:
    basket = basket_of(factories.create_product(title="Tea & <b>Toast</b>", price=5, num_in_stock=9))
    email = words("nudge", "email", "en", copy_context(basket, now), "text", "html")
    assert "Tea & <b>Toast</b>" in email["text"]
    assert "Tea &amp; &lt;b&gt;Toast&lt;/b&gt;" in email["html"]


def test_a_person_without_a_name_is_greeted_without(basket: Any, now: datetime) -> None:
    email = words("nudge", "email", "en", copy_context(basket, now, name=""), "subject", "text")
    assert email["subject"] == "Your basket is waiting"
    assert email["text"].startswith("Hello,\n\nyou left 2 things in your basket at Quillbrook.")


def test_the_text_has_no_holes(basket: Any, now: datetime) -> None:
    factories.create_offer(name="Twenty off for all")
    text = words("nudge", "email", "en", copy_context(basket, now, more=3), "text")["text"]
    assert "\n\n\n" not in text
    assert "2 × Earl Grey: $13.60 (instead of $17.00)\n   In stock\nand 3 more\n\nTotal: $13.60\n" in text


@pytest.mark.rule(29)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_message_carries_brand_code_link_and_the_way_out(
    language: str, basket: Any, now: datetime
) -> None:
    context = copy_context(basket, now, language)
    text = words("code", "sms", language, context, "text")["text"]
    assert text.startswith("Quillbrook: ")
    assert "TEAABCDEFGHIJKL" in text
    assert context["links"]["basket"] in text
    assert "STOP" in text
    counted = segments(text)
    assert counted.encoding is Encoding.GSM7
    assert counted.count <= 2


@pytest.mark.parametrize(
    ("language", "moment"), [("en", "14 March, 18:00"), ("de", "14. März, 18:00"), ("fr", "14/03 à 18:00")]
)
def test_the_text_message_says_until_when_by_the_readers_own_clock(
    language: str, moment: str, basket: Any, now: datetime
) -> None:
    context = copy_context(basket, now, language)
    context["voucher"] |= {"valid_until": datetime(2026, 3, 14, 22, 0, tzinfo=UTC)}
    key = CopyKey(flow_id=0, flow_key="abandoned_cart", step_key="code", channel="sms", language=language)
    text = render(key, None, ["text"], context, zone="America/New_York")["text"]
    assert f" {moment}: https://" in text


@pytest.mark.rule(29)
@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_month_makes_the_text_message_dearer(
    month: int, language: str, basket: Any, now: datetime
) -> None:
    context = copy_context(basket, now, language)
    context["voucher"] |= {"valid_until": datetime(2026, month, 28, 18, 0, tzinfo=UTC)}
    counted = segments(words("code", "sms", language, context, "text")["text"])
    assert (counted.encoding, counted.count <= 2) == (Encoding.GSM7, True)
