"""Everything of ours works in a browser that runs no scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Tab, expect

from tests.browser.browsing import Visit
from tests.browser.conftest import Visiting
from tests.browser.servers import Shop

PASSWORD = "unhurried-tea"


@pytest.fixture
def visited(visit: Visiting) -> Iterator[Visit]:
    with visit(java_script_enabled=False) as visited:
        yield visited


@pytest.fixture
def merchant(visit: Visiting) -> Iterator[Visit]:
    with visit(who="merchant", java_script_enabled=False) as visited:
        yield visited


def press(tab: Tab, button: str) -> None:
    tab.get_by_role("button", name=button, exact=True).click()


def tick_both_boxes(tab: Tab, phone: str) -> None:
    boxes = tab.locator(".crosschannel-consent")
    for box in boxes.get_by_role("checkbox").all():
        expect(box).not_to_be_checked()
        box.check()
    boxes.get_by_label("Mobile number for texts").fill(phone)


def an_hour_later(visited: Visit, email: str) -> None:
    """By the outbox's button; shows this person's inbox and phone."""
    visited.open(f"/outbox/?who={email}")
    press(visited.tab, "+1 hour")
    visited.open(f"/outbox/?who={email}")


def test_who_registers_with_both_boxes_has_agreed_to_both(visited: Visit) -> None:
    visited.open("/accounts/register/")
    tab = visited.tab
    tab.get_by_label("Email address").fill("nora@example.org")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_label("Confirm password").fill(PASSWORD)
    tick_both_boxes(tab, "+1 206 555 0177")
    press(tab, "Register")
    expect(tab.get_by_role("link", name="Logout")).to_be_visible()

    an_hour_later(visited, "nora@example.org")
    expect(tab.locator("#state")).to_contain_text("Email: agreed")
    expect(tab.locator("#screen")).to_contain_text("Reply YES")
    press(tab, "YES")
    expect(tab.locator("#state")).to_contain_text("Texts: agreed")


def test_a_guest_who_leaves_the_checkout_gets_the_email_and_comes_back_by_it(visited: Visit) -> None:
    visited.open("/search/?q=Heron Cup")
    tab = visited.tab
    tab.get_by_role("link", name="Heron Cup").first.click()
    press(tab, "Add to cart")
    visited.open("/checkout/")
    tab.get_by_label("My email address is").fill("olga@example.org")
    tab.locator(".crosschannel-consent").get_by_role("checkbox").first.check()
    tab.locator("#id_password").fill(
        "-"
    )  # Oscar's own form wants one of guests, too, and a script frees them
    press(tab, "Continue")
    expect(tab).to_have_url("https://quillbrook.example/checkout/shipping-address/")

    an_hour_later(visited, "olga@example.org")
    email = tab.frame_locator("iframe")
    expect(email.get_by_role("heading")).to_have_text("Your basket is waiting")
    with tab.context.expect_page() as opened:
        email.get_by_role("link", name="Back to my basket").click()
    expect(opened.value.get_by_role("listitem")).to_contain_text("Heron Cup")
    press(opened.value, "Restore my basket")
    expect(opened.value.get_by_text("1 product is back in your basket.")).to_be_visible()


def test_one_button_unsubscribes(visited: Visit, shop: Shop) -> None:
    visited.open(shop.path("{unsubscribe_ben}"))
    press(visited.tab, "Unsubscribe")
    expect(visited.tab.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    press(visited.tab, "Stop all marketing emails from Quillbrook")
    expect(visited.tab.get_by_text("no more marketing emails")).to_be_visible()


def test_a_customer_chooses_by_a_link_what_they_get(visited: Visit, shop: Shop) -> None:
    visited.open(shop.path("{preferences_alice}"))
    tab = visited.tab
    reminders = tab.get_by_role("group", name="Basket reminders").get_by_label("Email")
    expect(reminders).to_be_checked()
    reminders.uncheck()
    tab.get_by_role("group", name="Weekly deals").get_by_label("Email").check()
    tab.get_by_label("Pause", exact=True).select_option("For a week")
    tab.get_by_label("Language").select_option("Deutsch")
    press(tab, "Save")
    expect(tab.locator("html")).to_have_attribute("lang", "de")
    expect(tab.locator("#id_email-basket_reminders")).not_to_be_checked()
    expect(tab.locator("#id_email-weekly_deals")).to_be_checked()
    expect(tab.locator("button[name=go_on]")).to_be_visible()


def test_one_button_confirms_and_the_link_is_used_up(visited: Visit, shop: Shop) -> None:
    visited.open(shop.path("{confirm_plain}"))
    press(visited.tab, "Yes, confirm")
    expect(visited.tab.get_by_role("heading", level=1)).to_have_text("Thank you, that is confirmed")
    visited.open(shop.path("{confirm_plain}"), status=410)


def test_one_button_restores_a_basket_on_another_device(visited: Visit, shop: Shop) -> None:
    visited.open(shop.path("{recover}"))
    press(visited.tab, "Restore my basket")
    expect(visited.tab.get_by_text("3 products are back in your basket.")).to_be_visible()
    expect(visited.tab.locator("#content_inner")).to_contain_text("Chamomile Inkwell")


def test_a_merchant_changes_a_flow_and_takes_it_back(merchant: Visit, shop: Shop) -> None:
    tab = merchant.tab
    merchant.open(shop.path("/admin/oscar_crosschannel/flow/{flow}/edit/"))
    step = tab.locator("section", has=tab.get_by_role("heading", name="Nudge"))
    step.locator("input[type=number], input[inputmode]").first.fill("3")
    press(tab, "Save")
    expect(tab.locator("#content")).to_contain_text("waiting for")
    press(tab, "Yes, save it")
    expect(tab.locator(".messagelist")).to_contain_text("Saved")
    expect(tab.locator("#content")).to_contain_text("3 hours")

    merchant.open(shop.path("/admin/oscar_crosschannel/flow/{flow}/edit/"))
    press(tab, "Reset “Nudge” to what was declared")
    press(tab, "Yes, save it")
    expect(tab.locator("#content")).to_contain_text("1 hour")


def test_a_merchant_makes_a_flow_without_code_and_it_sends(merchant: Visit, visited: Visit) -> None:
    tab = merchant.tab
    merchant.open("/admin/oscar_crosschannel/flow/")
    tab.get_by_role("link", name="Add flow").click()
    tab.get_by_label("Title").fill("A hand on the shoulder")
    tab.get_by_label("Begins when").select_option("Somebody registers")
    tab.get_by_label("Topic").select_option(label="Order updates (part of an order or account)")
    press(tab, "Make this flow")
    tab.get_by_label("Title").fill("Hello")
    tab.get_by_label("How long after the event").get_by_label("number").fill("30")
    tab.get_by_label("How long after the event").get_by_label("unit").select_option("minutes")
    tab.get_by_label("Channels").select_option("Email")
    press(tab, "Add this step")
    tab.get_by_role("link", name="English").first.click()
    tab.get_by_label("Subject").fill("Somebody noticed you")
    tab.get_by_label("Text", exact=True).fill("Welcome to {{ brand }}. Kettle on?")
    press(tab, "Save")
    expect(tab.locator(".messagelist")).to_contain_text("Saved")
    tab.get_by_role("link", name="A hand on the shoulder").click()
    tab.get_by_role("link", name="Change this flow").click()
    tab.get_by_label("This flow is").select_option("On")
    press(tab, "Save")
    expect(tab.locator(".cc-lead .cc-badge")).to_have_text("On")

    visited.open("/accounts/register/")
    shopper = visited.tab
    shopper.get_by_label("Email address").fill("nadia@example.org")
    shopper.get_by_label("Password", exact=True).fill(PASSWORD)
    shopper.get_by_label("Confirm password").fill(PASSWORD)
    press(shopper, "Register")
    expect(shopper.get_by_role("link", name="Logout")).to_be_visible()
    an_hour_later(visited, "nadia@example.org")
    shopper.locator("#mails").get_by_role("link", name="Somebody noticed you").click()
    expect(shopper.get_by_role("article")).to_contain_text("Welcome to Quillbrook. Kettle on?")


def test_a_merchant_previews_and_keeps_words_of_their_own(merchant: Visit, shop: Shop) -> None:
    tab = merchant.tab
    merchant.open(shop.path("/admin/oscar_crosschannel/flow/{flow}/words/code/sms/fr/"))
    tab.get_by_label("Text").fill(
        "{{ brand }} : votre code {{ voucher.code }} {{ links.basket }} Répondez STOP"
    )
    press(tab, "Preview")
    expect(tab.locator(".cc-bubble")).to_contain_text("Quillbrook : votre code")
    press(tab, "Save")
    expect(tab.locator(".messagelist")).to_contain_text("Saved")


def test_a_merchant_puts_an_address_on_the_suppression_list(merchant: Visit, shop: Shop) -> None:
    tab = merchant.tab
    merchant.open(shop.path("/admin/oscar_crosschannel/contact/suppress/?id={vera_email}"))
    tab.get_by_label("Why").fill("Asked us on the phone.")
    press(tab, "Put this address on the suppression list")
    expect(tab.locator(".messagelist")).to_contain_text("The address is on the suppression list.")
    expect(tab.locator("#content")).to_contain_text("suppressed by staff")
