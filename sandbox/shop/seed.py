"""Fills an empty database with the shop. Every function adds what is missing and leaves the rest,
so that seeding twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.flatpages.models import FlatPage
from django.contrib.sites.models import Site
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from oscar.core.loading import get_model

from . import pictures
from .catalogue import CATEGORIES, ITEMS, Item
from .people import PEOPLE, Person, seed_people, seed_staff

#: ISO 3166-1: alpha-2, alpha-3, numeric, name. The shop ships to all of them.
COUNTRIES = [
    ("AT", "AUT", "040", "Austria"),
    ("AU", "AUS", "036", "Australia"),
    ("CA", "CAN", "124", "Canada"),
    ("CH", "CHE", "756", "Switzerland"),
    ("DE", "DEU", "276", "Germany"),
    ("FR", "FRA", "250", "France"),
    ("GB", "GBR", "826", "United Kingdom"),
    ("IE", "IRL", "372", "Ireland"),
    ("IN", "IND", "356", "India"),
    ("US", "USA", "840", "United States"),
]

PAGES = {
    "/terms/": (
        "Terms",
        "<p>This shop is a sandbox: nothing is sold, nothing is shipped and no money moves.</p>",
    ),
    "/privacy/": (
        "Privacy",
        (
            "<p>This shop is a sandbox. What you type stays in the database on this machine, "
            "and emails and texts go no further than its own outbox.</p>"
        ),
    ),
}

SITE_OFFER = "Two herbal infusions for $18"


@transaction.atomic
def seed(people: Iterable[Person] = PEOPLE) -> None:
    """The whole shop, and these customers."""
    _seed_site()
    _seed_countries()
    _seed_catalogue()
    _seed_offers()
    for name in ("Shipped", "Delivered", "Delayed", "Cancelled"):
        get_model("order", "ShippingEventType").objects.get_or_create(
            code=name.lower(), defaults={"name": name}
        )
    seed_staff()
    seed_people(people)


def is_empty() -> bool:
    """Whether there is nothing to buy yet."""
    return not get_model("catalogue", "Product").objects.exists()


def _seed_site() -> None:
    domain = settings.CROSSCHANNEL_BASE_URL.partition("://")[2]
    site, _ = Site.objects.update_or_create(
        pk=settings.SITE_ID, defaults={"domain": domain, "name": settings.OSCAR_SHOP_NAME}
    )
    for url, (title, content) in PAGES.items():
        page, _ = FlatPage.objects.get_or_create(url=url, defaults={"title": title, "content": content})
        page.sites.add(site)


def _seed_countries() -> None:
    country_model = get_model("address", "Country")
    for alpha_2, alpha_3, numeric, name in COUNTRIES:
        country_model.objects.get_or_create(
            iso_3166_1_a2=alpha_2,
            defaults={
                "iso_3166_1_a3": alpha_3,
                "iso_3166_1_numeric": numeric,
                "printable_name": name,
                "name": name,
                "is_shipping_country": True,
            },
        )


def _seed_catalogue() -> None:
    if not default_storage.exists(settings.OSCAR_MISSING_IMAGE_URL):
        default_storage.save(settings.OSCAR_MISSING_IMAGE_URL, ContentFile(pictures.draw_missing()))
    categories = {name: _category(name, description) for name, (_, description) in CATEGORIES.items()}
    partner, _ = get_model("partner", "Partner").objects.get_or_create(
        code="quillbrook", defaults={"name": "Quillbrook Tea House"}
    )
    # The shop lists the newest first, and this list is in the order of the menu.
    for item in reversed(ITEMS):
        _seed_item(item, categories[item.category], partner)


def _category(name: str, description: str) -> Any:
    model = get_model("catalogue", "Category")
    return model.objects.filter(name=name).first() or model.objects.add_root(
        instance=model(name=name, description=description)
    )


def _seed_item(item: Item, category: Any, partner: Any) -> None:
    product_class, _ = get_model("catalogue", "ProductClass").objects.get_or_create(
        name=CATEGORIES[item.category][0], defaults={"requires_shipping": True, "track_stock": True}
    )
    product, is_new = get_model("catalogue", "Product").objects.get_or_create(
        upc=item.upc,
        defaults={
            "title": item.title,
            "description": f"<p>{item.description}</p>",
            "meta_description": item.description,
            "product_class": product_class,
        },
    )
    if is_new:
        product.categories.add(category)
        product.stockrecords.create(
            partner=partner, partner_sku=item.upc, price=item.price, num_in_stock=item.stock
        )
    if not product.images.exists():
        picture = ContentFile(pictures.draw(item.picture, item.title), name=f"{item.upc.lower()}.jpg")
        product.images.create(original=picture, caption=item.title)


def _seed_offers() -> None:
    """One offer that everybody sees, and one that only the codes of `oscar_crosschannel` open."""
    range_model, offer_model = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
    everything, _ = range_model.objects.get_or_create(
        name="Everything", defaults={"includes_all_products": True, "is_public": False}
    )
    infusions, is_new = range_model.objects.get_or_create(
        name="Herbal infusions", defaults={"is_public": True}
    )
    if is_new:
        infusions.included_categories.add(get_model("catalogue", "Category").objects.get(name=infusions.name))
    if not offer_model.objects.filter(name=SITE_OFFER).exists():
        offer_model.objects.create(
            name=SITE_OFFER,
            description="<p>Any two, in any combination.</p>",
            offer_type=offer_model.SITE,
            condition=_condition(infusions, count=2),
            benefit=_benefit(None, kind="Fixed price", value=18),
        )
    if not offer_model.objects.filter(name=settings.CROSSCHANNEL_VOUCHER_OFFER).exists():
        offer_model.objects.create(
            name=settings.CROSSCHANNEL_VOUCHER_OFFER,
            description="<p>For you alone: with the code from our message.</p>",
            offer_type=offer_model.VOUCHER,
            condition=_condition(everything, count=1),
            benefit=_benefit(everything, kind="Percentage", value=10),
            exclusive=False,  # a code takes 10 % off what the offer above leaves
        )


def _condition(of: Any, *, count: int) -> Any:
    return get_model("offer", "Condition").objects.create(range=of, type="Count", value=count)


def _benefit(of: Any, *, kind: str, value: int) -> Any:
    return get_model("offer", "Benefit").objects.create(range=of, type=kind, value=value)
