"""Quillbrook Tea House: a plain django-oscar store with `oscar_crosschannel` installed.

What differs from Oscar's own set-up guide is marked "crosschannel". The environment changes:

SANDBOX_HOME             where the database, pictures, clock and outbox live (sandbox/var)
SANDBOX_DATABASE_URL     postgresql://user:password@host:port/name instead of SQLite
SANDBOX_BASE_URL         address of the shop in emails and texts (http://127.0.0.1:8000)
SANDBOX_ATOMIC_REQUESTS  1: one transaction per request
EMAIL_HOST, EMAIL_PORT   an SMTP server instead of the outbox
TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM, TWILIO_BASE_URL
                         texts through Twilio, or a counterpart, instead of the phones of the outbox
                         (which `serve_shop` runs; other commands print texts)
CELERY_BROKER_URL        a broker, for stores that run Celery
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from oscar.defaults import *

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("SANDBOX_HOME", BASE_DIR / "sandbox" / "var"))
HOME.mkdir(parents=True, exist_ok=True)

DEBUG = True
INTERNAL_IPS = ["127.0.0.1"]  # for them, templates know `debug`: the way to the outbox
SECRET_KEY = "sandbox only: everybody knows this key"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_ID = 1

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.flatpages",
    "sandbox.shop",
    "oscar_crosschannel",  # crosschannel: before Oscar, whose templates it extends
    "anymail",  # crosschannel
    "django_celery_beat",  # crosschannel
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

MIDDLEWARE = [
    "sandbox.clock.ClockMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ],
        },
    },
]

AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]


# Database


def _sqlite(path: Path) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # crosschannel: web and engine write at the same time; a transaction that would have
            # to upgrade its lock in the middle fails at once, whatever the timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }


def _postgresql(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }


_database_url = os.environ.get("SANDBOX_DATABASE_URL", "")
DATABASES = {"default": _postgresql(_database_url) if _database_url else _sqlite(HOME / "shop.sqlite3")}
DATABASES["default"]["ATOMIC_REQUESTS"] = os.environ.get("SANDBOX_ATOMIC_REQUESTS") == "1"

HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "sandbox.shop.search.Engine"}}
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"  # there is no index to keep


# Languages and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "America/New_York"


# Files

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = HOME / "media"
THUMBNAIL_KEY_PREFIX = "quillbrook"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"oscar_crosschannel": {"level": "INFO"}},
}


# The shop

OSCAR_SHOP_NAME = "Quillbrook"
OSCAR_SHOP_TAGLINE = "Tea for unhurried people"
OSCAR_DEFAULT_CURRENCY = "USD"
OSCAR_FROM_EMAIL = "Quillbrook Tea House <orders@quillbrook.example>"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_PRODUCTS_PER_PAGE = 24
OSCAR_MISSING_IMAGE_URL = "image_not_found.png"
# The folder of Oscar's default carries today's date, which would move with the sandbox's clock.
OSCAR_IMAGE_FOLDER = "images/products/"
OSCAR_HIDDEN_FEATURES = ["wishlists"]
OSCAR_MODERATE_REVIEWS = True
OSCAR_EAGER_ALERTS = False  # crosschannel: tells who waits for a product by their own channel

OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {
    "Pending": ("Being processed", "Cancelled"),
    "Being processed": ("Complete", "Cancelled"),
    "Complete": (),
    "Cancelled": (),
}
OSCAR_ORDER_STATUS_CASCADE = {"Being processed": "Being processed", "Cancelled": "Cancelled"}
OSCAR_LINE_STATUS_PIPELINE = {
    "Pending": ("Being processed", "Cancelled"),
    "Being processed": ("Shipped", "Cancelled"),
    "Shipped": (),
    "Cancelled": (),
}


# Email: to an SMTP server if one is named, else to files that /outbox/ shows

if "EMAIL_HOST" in os.environ:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = os.environ["EMAIL_HOST"]
    EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = HOME / "outbox"
DEFAULT_FROM_EMAIL = OSCAR_FROM_EMAIL


# crosschannel

CROSSCHANNEL_BRAND = "Quillbrook"
CROSSCHANNEL_BASE_URL = os.environ.get("SANDBOX_BASE_URL", "http://127.0.0.1:8000")
CROSSCHANNEL_MISSION = (
    "We buy tea from people who pick it by hand, and pack it between a weir and a bookshop."
)
CROSSCHANNEL_POSTAL_ADDRESS = "Quillbrook Tea House, 4 Weir Lane, Quillbrook, VT 05099, USA"
CROSSCHANNEL_EMAIL_FROM_MARKETING = "Quillbrook Tea House <hello@news.quillbrook.example>"
CROSSCHANNEL_EMAIL_FROM_TRANSACTIONAL = OSCAR_FROM_EMAIL
CROSSCHANNEL_SUPPORT_CONTACT = "help@quillbrook.example"
CROSSCHANNEL_TERMS_URL = f"{CROSSCHANNEL_BASE_URL}/terms/"
CROSSCHANNEL_PRIVACY_URL = f"{CROSSCHANNEL_BASE_URL}/privacy/"
CROSSCHANNEL_ADDRESS_KEY = "sandbox only: key of the suppression list"
CROSSCHANNEL_VOUCHER_OFFER = "Come back: 10 % off"
CROSSCHANNEL_VOUCHER_PREFIX = "TEA"
CROSSCHANNEL_TICK_SECONDS = 5
CROSSCHANNEL_DEVELOPMENT_CLOCK = "sandbox.clock.set_now"
CROSSCHANNEL_TWILIO = {
    "ACCOUNT_SID": os.environ.get("TWILIO_ACCOUNT_SID", ""),
    "AUTH_TOKEN": os.environ.get("TWILIO_AUTH_TOKEN", ""),
    "FROM": os.environ.get("TWILIO_FROM", ""),
    "BASE_URL": os.environ.get("TWILIO_BASE_URL", ""),
}
_sms = "twilio.TwilioBackend" if CROSSCHANNEL_TWILIO["ACCOUNT_SID"] else "console.ConsoleBackend"
CROSSCHANNEL_SMS_BACKEND = f"oscar_crosschannel.channels.sms_backends.{_sms}"

# Late acknowledgement and one task at a time: a killed worker gives its task back. Results are
# not kept, because the database says what happened.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "memory://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"


# One clock for all processes of the sandbox; the story of a basket takes two days.
SANDBOX_CLOCK_FILE: Path | None = HOME / "clock"
