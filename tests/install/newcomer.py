"""A developer with an Oscar shop of their own: a new virtualenv, `startproject`, and Oscar's guide followed.

project = bare_shop(folder, uv)     # Oscar is installed and set up, nothing of ours
project.pip(str(built_wheel(folder, uv)))
project.append("settings.py", "…")
project.type("python manage.py check")
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .guide import ROOT

#: Seconds that a command may take on a slow machine with a slow network.
PATIENCE = 600

#: What Oscar's guide has a developer change in the settings of a new project.
OSCAR_SETTINGS = """
from oscar.defaults import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "django.contrib.flatpages",
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "oscar.apps.checkout.apps.CheckoutConfig",
    "oscar.apps.address.apps.AddressConfig",
    "oscar.apps.shipping.apps.ShippingConfig",
    "oscar.apps.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "oscar.apps.partner.apps.PartnerConfig",
    "oscar.apps.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "oscar.apps.offer.apps.OfferConfig",
    "oscar.apps.order.apps.OrderConfig",
    "oscar.apps.customer.apps.CustomerConfig",
    "oscar.apps.search.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    "widget_tweaks",
    "haystack",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
]
SITE_ID = 1

MIDDLEWARE += [
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
DATABASES["default"]["ATOMIC_REQUESTS"] = True
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "media"

OSCAR_SHOP_NAME = "Quillbrook"
OSCAR_DEFAULT_CURRENCY = "USD"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Complete", "Cancelled"), "Complete": (), "Cancelled": ()}
"""

OSCAR_URLS = """
from django.apps import apps
from django.urls import include

urlpatterns += [
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A Django project `shop` in a folder, and the virtualenv it runs in."""

    folder: Path
    python: Path
    uv: Path

    def pip(self, *requirements: str) -> None:
        """What `pip install` does, in a tenth of its time."""
        run([self.uv, "pip", "install", "--quiet", "--python", self.python, *requirements], self.folder)

    def append(self, module: str, *blocks: str) -> None:
        """Paste at the end of a file of the project."""
        path = self.folder / "shop" / module
        path.write_text("\n".join([path.read_text(), *blocks]))

    def type(self, line: str) -> str:
        """Type a line that begins with `python`, with the virtualenv active."""
        name, *arguments = shlex.split(line)
        assert name == "python"
        return self.run(*arguments)

    def run(self, *arguments: str) -> str:
        """What Python says. Raises CommandFailed."""
        return run([self.python, *arguments], self.folder)

    def tests(self, *arguments: str) -> str:
        """What this checkout's tests say in the shop's virtualenv. Raises CommandFailed."""
        return run([self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], ROOT)


class CommandFailed(Exception):
    """A command ended with an error; the message has all that it said."""


def bare_shop(folder: Path, uv: Path, *, python: str = sys.executable, django: str = "Django") -> Project:
    """An Oscar shop as Oscar's guide has it, in a virtualenv of its own. `django`: which one, as pip has it."""
    folder.mkdir()
    venv = folder / "venv"
    run([uv, "venv", "--quiet", "--no-python-downloads", "--python", python, venv], folder)
    project = Project(folder, venv / "bin" / "python", uv)
    project.pip(django, "django-oscar[sorl-thumbnail]>=4.2,<4.3")
    run([project.python, "-m", "django", "startproject", "shop", "."], folder)
    project.append("settings.py", OSCAR_SETTINGS)
    project.append("urls.py", OSCAR_URLS)
    return project


def built_wheel(folder: Path, uv: Path) -> Path:
    """This checkout as a wheel."""
    run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def find_uv() -> Path:
    """Beside the running Python, or on the path. Raises LookupError."""
    beside = Path(sys.executable).with_name("uv")
    found = beside if beside.exists() else shutil.which("uv")
    if not found:
        raise LookupError("uv is missing: pip install -e '.[test]'")
    return Path(found)


def run(command: Sequence[str | Path], folder: Path) -> str:
    """What the command says. Raises CommandFailed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise CommandFailed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def surroundings() -> dict[str, str]:
    """A terminal that knows nothing of this checkout and its tests."""
    foreign = ("DJANGO_", "PYTEST_", "PYTHON", "SANDBOX_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
