"""The app's versions of Oscar's templates."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import oscar
import pytest
from django.template import engines
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.models import InboxEvent
from oscar_crosschannel.oscar import order_texts
from oscar_crosschannel.services import wordings

from .conftest import make_user, page

#: Oscar's files whose block we had to copy, and the digest of what we copied.
COPIED = {
    "oscar/checkout/gateway.html": "3b8b8d2360aabcfce134c09e4c4fddd5708f968d0420d69158918fa1fecc3a85",
    "oscar/customer/registration.html": "d5fdf76d52ad0711ee25c069ca7dc3c4249df7962463b22bc532903c6aea2581",
    "oscar/customer/login_registration.html": "98b6566578a290272d841c544c0f30a9dd51b5045a121270d2f1374f4c8812c8",
}


@pytest.mark.parametrize("name", COPIED)
def test_oscars_template_is_still_the_one_that_was_copied(name: str) -> None:
    upstream = Path(oscar.__file__).parent / "templates" / name
    digest = sha256(upstream.read_bytes()).hexdigest()
    assert digest == COPIED[name], (
        f"Oscar has changed {name}. Copy its `content` block into oscar_crosschannel/templates/{name} "
        "between `if is_on` and `else`, put `crosschannel_consent` before the submit button again, look "
        f"at the page, and write {digest} here."
    )


@pytest.mark.parametrize(
    "name", [*COPIED, "oscar/checkout/preview.html", "oscar/customer/baseaccountpage.html"]
)
def test_our_template_is_found_before_oscars(name: str) -> None:
    assert "oscar_crosschannel" in str(get_template(name).origin)  # type: ignore[attr-defined]


def test_a_store_may_put_the_tag_into_its_own_template() -> None:
    template = engines["django"].from_string("{% load crosschannel_tags %}{% crosschannel_consent %}")
    assert template.render({}).strip() == ""  # without a request there is nobody to ask


@pytest.mark.django_db
@pytest.mark.parametrize("is_on", [True, False])
def test_the_account_has_our_page_unless_the_store_puts_it_there_itself(
    is_on: bool, client: Client, settings: Any
) -> None:
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = is_on
    client.force_login(make_user("ada@example.com"))
    tabs = page(client.get(reverse("customer:profile-view"))).select(".nav-link[href='/cc/preferences/']")
    assert len(tabs) == is_on


@pytest.mark.django_db
@pytest.mark.parametrize("tag", ["crosschannel_account_tab", "crosschannel_sign_up"])
def test_a_store_without_our_addresses_gets_no_link_to_them(tag: str, client: Client, settings: Any) -> None:
    request = client.get("/").wsgi_request
    settings.ROOT_URLCONF = "tests.browser.stock_urls"
    template = engines["django"].from_string(f"{{% load crosschannel_tags %}}{{% {tag} %}}")
    assert template.render({}, request).strip() == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tag", "module", "name"),
    [
        ("crosschannel_consent", wordings, "read"),
        ("crosschannel_sign_up", wordings, "read"),
        ("crosschannel_order_texts", order_texts, "offer"),
    ],
)
def test_an_error_of_the_database_leaves_the_pages_transaction_whole(
    tag: str, module: Any, name: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []

    def breaks_in_the_database(*args: Any, **kwargs: Any) -> None:
        failed.append(name)
        InboxEvent.objects.create(name="broken", occurred_at=None)

    monkeypatch.setattr(module, name, breaks_in_the_database)
    request = client.get("/").wsgi_request
    template = engines["django"].from_string(f"{{% load crosschannel_tags %}}{{% {tag} %}}")
    assert template.render({"order": None}, request).strip() == ""
    assert failed == [name]
    assert not InboxEvent.objects.exists()  # the next statement of the page
