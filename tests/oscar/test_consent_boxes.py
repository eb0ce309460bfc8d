"""The boxes in Oscar's forms: how they look, and what becomes of what people answer."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from oscar.apps.payment.exceptions import PaymentError
from oscar.core.loading import get_model

from oscar_crosschannel.models import ConsentEvent, ConsentTemplate, ConsentText, InboxEvent, Topic
from oscar_crosschannel.services import consents, contacts

from .conftest import Shopper, make_user, page

Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("country")]

BOTH = {"cc_email": "1", "cc_sms": "1", "cc_phone": "+1 206 555 0123"}


def answers() -> list[dict[str, Any]]:
    return [
        answer for event in InboxEvent.objects.filter(name="consent.answered") for answer in event.answers
    ]


def given() -> dict[str, bool]:
    return {answer["channel"]: answer["given"] for answer in answers()}


def at_gateway(shopper: Shopper, product: Any) -> BeautifulSoup:
    shopper.add(product)
    return page(shopper.client.get(reverse("checkout:index")))


def at_preview(shopper: Shopper, product: Any) -> BeautifulSoup:
    shopper.add(product)
    shopper.give_address()
    shopper.choose_shipping()
    return page(shopper.preview())


def boxes(html: BeautifulSoup) -> list[str]:
    return [str(box["name"]) for box in html.select("fieldset.crosschannel-consent > .form-check input")]


@pytest.mark.rule(3)
@pytest.mark.parametrize("url_name", ["customer:register", "customer:login"])
def test_registering_offers_a_box_of_its_own_for_each_channel(url_name: str, shopper: Shopper) -> None:
    html = page(shopper.client.get(reverse(url_name)))
    assert boxes(html) == ["cc_email", "cc_sms"]
    assert not html.select("fieldset input[checked], fieldset input[required]")
    assert html.select_one("#register_form fieldset.crosschannel-consent")


@pytest.mark.rule(3)
def test_the_gateway_offers_both_boxes_inside_its_form(shopper: Shopper, product: Any) -> None:
    html = at_gateway(shopper, product)
    form = html.select_one("form:has([name=username])")
    assert isinstance(form, Tag)
    assert boxes(form) == ["cc_email", "cc_sms"]
    assert not form.select("[checked][type=checkbox]")
    assert [str(option["value"]) for option in form.select("[name=options]")] == [
        "anonymous",
        "existing",
        "new",
    ]


def test_every_control_has_its_label_and_the_group_a_legend(shopper: Shopper) -> None:
    fieldset = page(shopper.client.get(reverse("customer:register"))).select_one("fieldset")
    assert isinstance(fieldset, Tag)
    assert fieldset.select_one("legend")
    for control in fieldset.select("input:not([type=hidden])"):
        assert fieldset.select_one(f"label[for={control['id']}]")
    phone = fieldset.select_one("[name=cc_phone]")
    assert isinstance(phone, Tag)
    assert (phone["type"], phone["autocomplete"]) == ("tel", "tel")
    assert fieldset.find(id=phone["aria-describedby"])


@pytest.mark.rule(2, 5)
def test_the_words_are_the_wording_of_each_channel(shopper: Shopper) -> None:
    html = page(shopper.client.get(reverse("customer:register")))
    for channel in ("email", "sms"):
        label = html.select_one(f"label[for=id_cc_{channel}]")
        assert isinstance(label, Tag)
        assert label.get_text() == consents.wording(channel, "en").words


def test_the_boxes_speak_the_language_of_the_page(shopper: Shopper) -> None:
    html = page(shopper.client.get(reverse("customer:register"), headers={"Accept-Language": "de"}))
    label = html.select_one("label[for=id_cc_email]")
    assert isinstance(label, Tag)
    assert label.get_text() == consents.wording("email", "de").words
    legend = html.select_one("legend")
    assert isinstance(legend, Tag)
    assert legend.get_text() == "Auf dem Laufenden bleiben"


@pytest.mark.rule(4)
def test_a_guests_answers_are_told_with_their_proof(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com", **BOTH)
    email, sms = answers()
    assert (email["channel"], email["given"], email["address"]) == ("email", True, "guest@example.com")
    assert (sms["channel"], sms["given"], sms["address"]) == ("sms", True, "+1 206 555 0123")
    for answer in (email, sms):
        assert answer["text"] == consents.wording(answer["channel"], "en").digest
        assert answer["language"] == "en"
        assert answer["form"] == "gateway"
        assert answer["page_url"] == "http://testserver/checkout/"
        assert answer["ip"] == "127.0.0.1"
        assert len(answer["session"]) == 64


@pytest.mark.rule(3)
def test_a_box_left_empty_is_an_answer_too(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    response = shopper.enter_checkout("guest@example.com", cc_email="1")
    assert response.url == reverse("checkout:shipping-address")
    assert given() == {"email": True, "sms": False}


def test_a_form_without_boxes_answers_nothing(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.client.post(
        reverse("checkout:index"),
        {"username": "guest@example.com", "options": "anonymous", **BOTH},
    )
    assert not answers()


def test_a_ticked_box_for_texts_without_a_number_is_no_answer(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com", cc_sms="1")
    assert given() == {"email": False}
    assert boxes(at_preview(shopper, product)) == ["cc_sms"]


def test_a_form_that_comes_back_keeps_what_was_ticked_and_typed(shopper: Shopper) -> None:
    html = page(shopper.register("not an address", cc_sms="1", cc_phone="+1 206 555 0123"))
    ticked = [str(box["name"]) for box in html.select("fieldset [type=checkbox][checked]")]
    assert ticked == ["cc_sms"]
    phone = html.select_one("[name=cc_phone]")
    assert isinstance(phone, Tag)
    assert phone["value"] == "+1 206 555 0123"
    assert not answers()


def test_topics_and_the_preferred_channel_can_be_chosen_below_the_boxes(shopper: Shopper) -> None:
    html = page(shopper.client.get(reverse("customer:register")))
    below = html.select_one("#register_form details:not([open])")
    assert isinstance(below, Tag)
    assert [str(box["value"]) for box in below.select("[name=cc_topic]")] == [
        "weekly_deals",
        "basket_reminders",
    ]
    assert [str(choice["value"]) for choice in below.select("[name=cc_primary]")] == ["email", "sms"]
    assert not below.select("[checked]")
    for control in below.select("input"):
        assert below.select_one(f"label[for={control['id']}]")
    shopper.register("new@example.com", **BOTH, cc_topic="weekly_deals", cc_primary="sms")
    assert {tuple(answer["topics"]) for answer in answers()} == {("weekly_deals",)}
    assert {answer["channel"]: answer["is_primary"] for answer in answers()} == {"email": False, "sms": True}


def test_what_was_chosen_comes_back_with_a_form_that_has_an_error(shopper: Shopper) -> None:
    html = page(shopper.register("not an address", cc_topic="weekly_deals", cc_primary="email"))
    chosen = html.select("details [checked]")
    assert [str(field["value"]) for field in chosen] == ["weekly_deals", "email"]


def test_choices_of_the_order_form_belong_to_it(shopper: Shopper, product: Any) -> None:
    shopper.client.force_login(make_user("ada@example.com"))
    html = at_preview(shopper, product)
    assert {str(field["form"]) for field in html.select("details input")} == {"place_order_form"}
    shopper.place_order(**BOTH, cc_topic="weekly_deals")
    assert {tuple(answer["topics"]) for answer in answers()} == {("weekly_deals",)}


def test_where_one_topic_is_named_there_is_nothing_to_choose(shopper: Shopper) -> None:
    for kind in ("email", "sms"):
        ConsentTemplate.objects.create(
            kind=kind,
            language="en",
            words="{brand}: {topics}",
            topics=["weekly_deals"],
            made_at=timezone.now(),
            made_by="meg",
        )
    html = page(shopper.client.get(reverse("customer:register")))
    assert not html.select("[name=cc_topic]")
    label = html.select_one("label[for=id_cc_sms]")
    assert isinstance(label, Tag)
    assert label.get_text() == "Quillbrook: Weekly deals"


@pytest.mark.rule(14)
def test_a_date_of_birth_is_asked_for_only_where_a_topic_needs_it(shopper: Shopper) -> None:
    url = reverse("customer:register")
    assert not page(shopper.client.get(url)).select("[name=cc_born]")
    Topic.objects.filter(key="weekly_deals").update(minimum_age=21)
    html = page(shopper.client.get(url))
    field = html.select_one("[name=cc_born]")
    assert isinstance(field, Tag)
    assert html.find(id=field["aria-describedby"])
    shopper.register("new@example.com", **BOTH, cc_born="1990-05-17")
    (ages,) = {answer["proven_age"] for answer in answers()}
    assert ages >= 36
    assert "1990" not in str(answers())


def test_the_words_are_those_of_the_country_that_is_delivered_to(shopper: Shopper, product: Any) -> None:
    ConsentTemplate.objects.create(
        kind="sms",
        country="US",
        language="en",
        words="In the States: {topics}",
        topics=["weekly_deals"],
        made_at=timezone.now(),
        made_by="meg",
    )
    shopper.client.force_login(make_user("ada@example.com"))
    label = at_preview(shopper, product).select_one("label[for=id_cc_sms]")
    assert isinstance(label, Tag)
    assert label.get_text() == "In the States: Weekly deals"


def test_a_registration_tells_its_answers(shopper: Shopper) -> None:
    shopper.register("new@example.com", cc_email="1")
    assert given() == {"email": True, "sms": False}
    event = InboxEvent.objects.get(name="consent.answered")
    assert event.user_id == get_user_model().objects.get().pk
    assert {answer["form"] for answer in answers()} == {"registration"}


def test_a_guest_is_not_asked_twice_on_the_way_to_the_order(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    assert boxes(at_preview(shopper, product)) == []


def test_another_guest_at_the_same_browser_is_asked(shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    shopper.client.post(reverse("checkout:index"), {"username": "other@example.com", "options": "anonymous"})
    assert boxes(at_preview(shopper, product)) == ["cc_email", "cc_sms"]


def test_a_guest_whom_the_gateway_did_not_ask_is_asked_at_the_preview(
    shopper: Shopper, product: Any, settings: Any
) -> None:
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = True
    assert boxes(at_preview(shopper, product)) == ["cc_email", "cc_sms"]


def test_the_preview_asks_an_account_only_what_it_never_answered(shopper: Shopper, product: Any) -> None:
    user = make_user("ada@example.com")
    shopper.client.force_login(user)
    html = at_preview(shopper, product)
    assert boxes(html) == ["cc_email", "cc_sms"]
    now = timezone.now()
    contact = contacts.identify(user_id=user.pk, now=now)
    assert contact
    words = consents.wording("email", "en")
    text = ConsentText.objects.create(
        digest=words.digest,
        channel="email",
        language="en",
        words=words.words,
        topics=list(words.topics),
        created_at=now,
    )
    ConsentEvent.objects.create(
        contact=contact,
        channel="email",
        address="ada@example.com",
        action="decline",
        basis="none",
        source="form",
        mechanism="checkbox",
        actor="customer",
        text=text,
        at=now,
        digest="x",
    )
    assert boxes(page(shopper.preview())) == ["cc_sms"]


def test_the_preview_offers_the_number_of_the_delivery(shopper: Shopper, product: Any) -> None:
    shopper.client.force_login(make_user("ada@example.com"))
    phone = at_preview(shopper, product).select_one("[name=cc_phone]")
    assert isinstance(phone, Tag)
    assert str(phone["value"]).replace(" ", "").replace("-", "") == "+12065550123"
    assert phone["form"] == "place_order_form"


def test_answers_of_the_order_form_stand_beside_its_number(shopper: Shopper, product: Any) -> None:
    shopper.client.force_login(make_user("ada@example.com"))
    at_preview(shopper, product)
    shopper.place_order(**BOTH)
    assert given() == {"email": True, "sms": True}
    assert {answer["order_number"] for answer in answers()} == {Order.objects.get().number}
    assert {answer["form"] for answer in answers()} == {"preview"}
    assert shopper.client.session["crosschannel"]["stash"] == {}


def test_answers_wait_for_the_way_back_from_a_payment_page(shopper: Shopper, product: Any) -> None:
    shopper.client.force_login(make_user("ada@example.com"))
    at_preview(shopper, product)
    marker = shopper.marker(reverse("checkout:preview"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oscar.apps.checkout.views.PaymentDetailsView.handle_payment", _refuse)
        refused = shopper.client.post(
            reverse("checkout:preview"), {"action": "place_order", **marker, **BOTH}
        )
    assert refused.status_code == 200
    assert not answers()
    # the second try, like a provider's return, posts no boxes
    again = shopper.client.post(reverse("checkout:preview"), {"action": "place_order"})
    assert again.url == reverse("checkout:thank-you")
    assert given() == {"email": True, "sms": True}


def test_answers_of_one_person_are_not_taken_for_another_who_completes_an_order(
    shopper: Shopper, product: Any, settings: Any
) -> None:
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False  # so that the gateway does not ask already
    shopper.add(product)
    shopper.enter_checkout("guest@example.com")
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = True
    at_preview(shopper, product)
    marker = shopper.marker(reverse("checkout:preview"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oscar.apps.checkout.views.PaymentDetailsView.handle_payment", _refuse)
        shopper.client.post(reverse("checkout:preview"), {"action": "place_order", **marker, **BOTH})
    user = make_user("ada@example.com")
    shopper.client.post(
        reverse("customer:login"),
        {"login-username": user.email, "login-password": "unhurried-tea", "login_submit": "Log In"},
    )
    at_preview(shopper, product)
    shopper.client.post(reverse("checkout:preview"), {"action": "place_order"})
    assert Order.objects.get().user == user
    assert not answers()
    assert shopper.client.session["crosschannel"]["stash"] == {}


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise PaymentError("the card was refused")


@pytest.mark.rule(3)
def test_an_order_without_any_box_goes_through(shopper: Shopper, product: Any) -> None:
    shopper.client.force_login(make_user("ada@example.com"))
    at_preview(shopper, product)
    assert shopper.place_order().url == reverse("checkout:thank-you")
    assert given() == {"email": False, "sms": False}


@pytest.mark.parametrize(
    "marker", ["", "en", "en email", "en fax:123", "en email:", "  ", "x" * 5000, "é\0 sms:\0"]
)
def test_a_marker_that_somebody_made_up_harms_nothing(marker: str, shopper: Shopper, product: Any) -> None:
    shopper.add(product)
    response = shopper.client.post(
        reverse("checkout:index"),
        {"username": "guest@example.com", "options": "anonymous", "cc_shown": marker, **BOTH},
    )
    assert response.url == reverse("checkout:shipping-address")


def test_stores_that_place_the_tag_themselves_turn_the_rest_off(
    shopper: Shopper, product: Any, settings: Any
) -> None:
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    assert boxes(at_gateway(shopper, product)) == []
    assert boxes(page(shopper.client.get(reverse("customer:register")))) == []
    assert boxes(page(shopper.client.get(reverse("customer:login")))) == []
    shopper.client.force_login(make_user("ada@example.com"))
    html = at_preview(shopper, product)
    assert boxes(html) == []
    assert html.select_one("#place_order_form")
