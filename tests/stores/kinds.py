"""The kinds of stores that the story is played in, and how one shows that it is the kind it claims to be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import oscar

from sandbox.demo import storefront
from sandbox.demo.browser import Astray, Browser

from .frontend import FrontEnd
from .project import Broken, Store, surroundings
from .story import ADA, BEA, DEE, PASSWORD, Pages, Storefront, World, address_of, link_and_code

Environment = Mapping[str, str]

#: Oscar's templates with a place for the consent boxes, and before what a developer puts the tag.
TAGGED = {
    "oscar/checkout/gateway.html": ('<button type="submit"', "{% crosschannel_consent %}"),
    "oscar/checkout/preview.html": (
        '<form method="post" action="{% url \'checkout:preview\' %}" id="place_order_form"',
        '{% crosschannel_consent form="place_order_form" %}',
    ),
    "oscar/customer/registration.html": (
        '<form id="register_form"',
        '{% crosschannel_consent form="register_form" %}',
    ),
}
FORKED = ("basket", "checkout", "customer", "order", "voucher")
OWN_WORDS = "The store’s own words."


def nothing(folder: Path, environment: Environment) -> None:
    """A project whose files need no preparation."""


def pages(store: Store) -> Storefront:
    return Pages(store.home, store.product)


def as_it_says(world: World) -> Iterator[str]:
    """Nothing about this kind needs a proof of its own."""
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of store."""

    name: str  #: in the matrix
    settings: str = "tests.stores.settings"
    environment: Environment = field(default_factory=dict)
    #: What the store's developers did to the project in its folder.
    build: Callable[[Path, Environment], None] = nothing
    front: Callable[[Store], Storefront] = pages
    #: Asked after the story; yields why the store is not the kind it claims to be.
    proof: Callable[[World], Iterator[str]] = as_it_says
    #: What the checks are expected to find.
    findings: frozenset[str] = frozenset()


# Forks


def fork(folder: Path, environment: Environment) -> None:
    """Oscar's own command, and then what a developer forks an app for."""
    commands = [f"call_command('oscar_fork_app', {label!r}, 'forks')" for label in FORKED]
    code = "; ".join(
        ["import django", "django.setup()", "from django.core.management import call_command", *commands]
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=folder,
        env=surroundings("tests.stores.settings", environment, folder),
    )
    for path, own in OWN_CODE.items():
        file = folder / "forks" / path
        # before the star import, which leaves out what is defined already
        file.write_text(own + (file.read_text() if file.exists() else ""))


OWN_CODE = {
    f"{label}/models.py": f"""
from django.db import models
from oscar.apps.{label}.abstract_models import Abstract{model}


class {model}(Abstract{model}):
    forked = models.CharField(max_length=20, default="forked")


"""
    for label, model in {"basket": "Basket", "order": "Order", "voucher": "Voucher"}.items()
} | {
    "checkout/views.py": """
from oscar.apps.checkout import views


class PaymentDetailsView(views.PaymentDetailsView):
    def handle_successful_order(self, order):
        order.forked = "by the view"
        order.save()
        return super().handle_successful_order(order)
""",
    "customer/forms.py": """
from oscar.apps.customer import forms


class EmailUserCreationForm(forms.EmailUserCreationForm):
    def save(self, commit=True):
        self.instance.first_name = "Forked"
        return super().save(commit)
""",
}


def the_forks_are_in_use(world: World) -> Iterator[str]:
    for model in ("basket.Basket", "voucher.Voucher", "order.Order"):
        if not all("forked" in row for row in world.store.rows(model)):
            yield f"{model} is Oscar’s own"
    if {order["forked"] for order in world.store.orders()} != {"by the view"}:
        yield "Oscar’s own view took the orders"
    if [user["first_name"] for user in world.store.rows("auth.User")] != ["Forked"]:
        yield "Oscar’s own form made the account"
    yield from our_migrations_fit(world)
    yield from its_own_migrations_go_with_ours(world)


def our_migrations_fit(world: World) -> Iterator[str]:
    """Nothing about this store's models or accounts would have Django write a migration into our package."""
    try:
        world.store.command("makemigrations", "--check", "--dry-run", "oscar_crosschannel")
    except Broken:
        yield "our migrations do not fit our models in this store"


def its_own_migrations_go_with_ours(world: World) -> Iterator[str]:
    """A fork numbers its migrations itself, so ours may know of Oscar's only the first of each app."""
    world.store.command("makemigrations", "basket", "order", "voucher")
    if "Create model Message" not in world.store.command("migrate", "--plan"):
        yield "the plan of all migrations leaves ours out"


# Templates


def copy_templates(*names: str) -> Callable[[Path, Environment], None]:
    """Oscar's files, whole, with the documented tag put in."""

    def build(folder: Path, environment: Environment) -> None:
        for name in names:
            place, tag = TAGGED[name]
            words = (Path(oscar.__file__).parent / "templates" / name).read_text()
            if words.count(place) != 1:
                raise Astray(f"Oscar’s {name} has changed: where does the tag go?")
            copy = folder / "templates" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            head, end_of_line, rest = words.replace(place, f"{tag}\n{place}").partition("\n")
            copy.write_text(head + end_of_line + "{% load crosschannel_tags %}\n" + rest)

    return build


def its_words_stand_beside_our_boxes(world: World) -> Iterator[str]:
    browser = Browser(world.store.home)
    browser.submit(browser.open(world.store.product), {"quantity": "1"})
    for path in ("/checkout/", "/accounts/register/"):
        if OWN_WORDS not in browser.open(path).words:
            yield f"{path} does not show the store’s own words"
    if any(OWN_WORDS not in mail.html for mail in world.reminders(ADA)):
        yield "the email does not show the store’s own words"
    yield from the_preview_asks(world)


def the_preview_asks(world: World) -> Iterator[str]:
    """Somebody with an account from before the app was installed has never been asked."""
    world.store.command("createsuperuser", "--noinput", "--username", "dan", "--email", "dan@example.org")
    browser = Browser(world.store.home)
    storefront.log_in(browser, "dan@example.org", PASSWORD)
    browser.submit(browser.open(world.store.product), {"quantity": "1"})
    form = browser.open("/checkout/shipping-address/")
    payment = browser.submit(form, address_of(ADA))
    preview = browser.open(payment.link("Continue"))
    if {"cc_email", "cc_sms", "cc_phone"} - {
        str(field["name"]) for field in preview.fields(preview.form("action"))
    }:
        yield "the preview of an order does not ask"


SUPERUSER = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}


def only_the_tag_shows_boxes(world: World) -> Iterator[str]:
    """Where the store put no tag there are no boxes: the page that logs people in or registers them."""
    page = Browser(world.store.home).open("/accounts/login/")
    if page.soup.select("[name=cc_email]"):
        yield "the app’s own template was found before Oscar’s"


# Others


def accounts_have_no_names(world: World) -> Iterator[str]:
    (account,) = world.store.rows("people.User")
    if account["email"] != BEA.email or "first_name" in account:
        yield "these are Django’s own accounts"
    yield from our_migrations_fit(world)


def each_request_is_one_transaction(world: World) -> Iterator[str]:
    if "'ATOMIC_REQUESTS': True" not in world.store.command("diffsettings", "--all"):
        yield "ATOMIC_REQUESTS is off"


def addresses_begin_with_a_language(world: World) -> Iterator[str]:
    if not world.store.product.startswith("/en/"):
        yield f"the product is at {world.store.product}"


def there_are_no_pages(world: World) -> Iterator[str]:
    try:
        Browser(world.store.home).open("/basket/")
    except Astray:
        return
    yield "Oscar’s pages are there"


def a_declined_payment_does_not_end_the_chase(world: World) -> Iterator[str]:
    """Dee's order waits for its payment, and she is left alone; it is declined, and the chase goes on."""
    store, front = world.store, Pages(world.store.home, world.store.product)
    world.wait_until(_DEES_DAY)
    front.leaves_as_guest(DEE, agrees=True)
    world.wait_until(_DEES_DAY + timedelta(minutes=1))
    world.say_yes(DEE)
    world.wait_until(_DEES_DAY + timedelta(minutes=65))
    world.wait_until(_DEES_DAY + timedelta(hours=5))
    front.orders(DEE)
    order = store.orders()[-1]
    if (order["guest_email"], order["status"]) != (DEE.email, "Pending payment"):
        yield f"Dee’s order is {order['status']}"
    for hours in (5.1, 24.5, 30):
        world.wait_until(_DEES_DAY + timedelta(hours=hours))
    if (len(world.reminders(DEE)), len(world.offers(DEE))) != (1, 0):
        yield "Dee was chased while her payment was pending, or not before"
    _bank_says(store, order, "Payment declined")
    for hours in (30.1, 53.5, 54.5):
        world.wait_until(_DEES_DAY + timedelta(hours=hours))
    if (len(world.reminders(DEE)), len(world.offers(DEE))) != (1, 1):
        yield "the text did not come a day after the bank declined, or the email came again"
        return
    link, code = link_and_code(world.offers(DEE)[0])
    front.restores_elsewhere(DEE, link, code)
    _bank_says(store, store.orders()[-1], "Paid")
    world.wait_until(_DEES_DAY + timedelta(days=8))
    if (len(world.reminders(DEE)), len(world.offers(DEE))) != (1, 1):
        yield "Dee was chased after she paid"


#: When all others are done.
_DEES_DAY = timedelta(days=13)


def _bank_says(store: Store, order: Mapping[str, Any], answer: str) -> None:
    Browser(store.home).post(f"/bank/{order['number']}/{answer}/", {})


KINDS = (
    Kind(name="plain"),
    Kind(
        name="forked basket, checkout, customer, order, voucher",
        settings="tests.stores.projects.forked.settings",
        build=fork,
        proof=the_forks_are_in_use,
    ),
    Kind(
        name="templates that extend",
        settings="tests.stores.projects.extended.settings",
        environment=SUPERUSER,
        proof=its_words_stand_beside_our_boxes,
    ),
    Kind(
        name="templates that are full copies",
        settings="tests.stores.projects.full_copies.settings",
        environment=SUPERUSER,
        build=copy_templates(*TAGGED),
        proof=the_preview_asks,
    ),
    Kind(
        name="accounts without names",
        settings="tests.stores.projects.custom_user.settings",
        proof=accounts_have_no_names,
    ),
    Kind(
        name="ATOMIC_REQUESTS",
        environment={"SANDBOX_ATOMIC_REQUESTS": "1"},
        proof=each_request_is_one_transaction,
    ),
    Kind(
        name="i18n_patterns",
        settings="tests.stores.projects.i18n.settings",
        proof=addresses_begin_with_a_language,
    ),
    Kind(
        name="listed after Oscar, with the tag",
        settings="tests.stores.projects.after_oscar.settings",
        build=copy_templates("oscar/checkout/gateway.html", "oscar/customer/registration.html"),
        proof=only_the_tag_shows_boxes,
        findings=frozenset({"W013"}),
    ),
    Kind(
        name="django-oscar-api, without pages",
        settings="tests.stores.projects.headless.settings",
        front=lambda store: FrontEnd(store.home),
        proof=there_are_no_pages,
    ),
    Kind(
        name="orders before their payment",
        settings="tests.stores.projects.pays_later.settings",
        proof=a_declined_payment_does_not_end_the_chase,
    ),
)

#: Locks and transactions are another matter there; needs a SANDBOX_DATABASE_URL.
ON_POSTGRESQL = Kind(
    name="forked, ATOMIC_REQUESTS, on PostgreSQL",
    settings="tests.stores.projects.forked.settings",
    environment={"SANDBOX_ATOMIC_REQUESTS": "1"},
    build=fork,
    proof=the_forks_are_in_use,
)
