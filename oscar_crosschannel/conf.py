"""Settings of the app, and what the project binds to it.

Every setting is `CROSSCHANNEL_<NAME>` in the Django settings; the class body below is the
reference with the defaults. Values are read live, so `override_settings` works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from django.conf import settings as django_settings

from .core.ports import Shop
from .core.registry import Registry
from .core.tracking import ANY_NUMBER
from .core.triggers import Triggers


class Settings:
    """Typed view of `CROSSCHANNEL_*`."""

    #: Name of the shop as customers know it; every text message carries it. Unset: OSCAR_SHOP_NAME.
    BRAND: str = ""
    #: Public address of the shop, `https://shop.example`, no trailing slash. Links are built from it.
    BASE_URL: str = ""
    #: Postal address shown in marketing email (CAN-SPAM, CASL).
    POSTAL_ADDRESS: str = ""
    #: Where customers get help; part of the answer to HELP.
    SUPPORT_CONTACT: str = ""
    #: Pages named in the wording of the SMS consent box.
    TERMS_URL: str = ""
    PRIVACY_URL: str = ""

    #: Senders of email; two settings, because mailbox providers judge them apart.
    EMAIL_FROM_MARKETING: str = ""
    EMAIL_FROM_TRANSACTIONAL: str = ""
    #: Dotted path of a Django email backend for this app's mail; None: the project's own.
    EMAIL_BACKEND: str | None = None
    #: A mailbox that takes tags ("shop+tag@…") and whose mail the provider hands to Anymail's inbound webhook:
    #: answers to emails and `mailto:` unsubscribes go there, and who says stop is heard. Let the provider
    #: forward a copy to whoever answers mail. Empty: answers go to the sender.
    EMAIL_INBOUND: str = ""
    #: Without EMAIL_INBOUND: an address that takes `mailto:` unsubscribes, if somebody works that mailbox off;
    #: empty: the https link alone, which is enough (RFC 8058).
    EMAIL_UNSUBSCRIBE_MAILTO: str = ""
    #: Messages per second that the email provider allows, over all workers together; None: no limit.
    EMAIL_RATE: float | None = None
    #: So many soft bounces within the time, without a delivery between, and an address counts as gone.
    SOFT_BOUNCES: int = 3
    SOFT_BOUNCES_WITHIN: timedelta = timedelta(days=30)
    #: Shares of the emails sent that are reported as spam, or bounce for good, over GUARD_WINDOW: from "warn"
    #: on the operator is told, from "pause" on marketing email waits until staff let it go on. Gmail asks for
    #: less than 0.1 % complaints and never 0.3 %.
    GUARDS: Mapping[str, Mapping[str, float]] = {
        "complaints": {"warn": 0.001, "pause": 0.003},
        "bounces": {"pause": 0.05},
    }
    GUARD_WINDOW: timedelta = timedelta(days=7)
    #: One complaint among few emails says nothing: fewer bad ones, or fewer emails, trip no guard.
    GUARD_LEAST_BAD: int = 3
    GUARD_LEAST_SENT: int = 100

    SMS_BACKEND: str = "oscar_crosschannel.channels.sms_backends.console.ConsoleBackend"
    #: Segments per second that the sender may send, over all workers together; None: no limit. A US
    #: long code takes 1, a toll-free number 3, a short code 100, a messaging service the sum of its numbers.
    SMS_RATE: float | None = 1.0
    SMS_MAX_SEGMENTS: int = 3
    SMS_SMART_ENCODING: bool = True
    #: Segments a day and a month, by the clock of TIME_ZONE, from which on texts for marketing wait; None: no
    #: limit. Texts that an order or an account needs count, and are never stopped. In the admin the merchant
    #: may set other numbers.
    SMS_BUDGET_DAILY: int | None = None
    SMS_BUDGET_MONTHLY: int | None = None
    #: Changes to the shipped table of prices, same shape as data/sms_prices.json; estimates only.
    SMS_PRICES: Mapping[str, Any] = {}
    #: "carrier_managed": the provider answers STOP and HELP; "app_managed": this app does.
    SMS_OPT_OUT_REPLIES: str = "carrier_managed"
    #: Whether texts that an order needs still go to who texted STOP. Only where no carrier blocks them.
    STOP_KEEPS_TRANSACTIONAL: bool = False
    #: Ask who texted STOP whether order texts should go on, and wait so long for their ORDERS; None: do not
    #: ask. Without an answer everything stays stopped. Only with "app_managed".
    STOP_SCOPE_QUESTION: timedelta | None = None
    #: Words that sign up whoever texts them, by language; none: nobody signs up that way. Beside the word the
    #: shop prints the words of `oscar_crosschannel/consent/sms_keyword.txt`, or the merchant's own.
    SMS_JOIN_WORDS: Mapping[str, Sequence[str]] = {
        "en": ("JOIN",),
        "de": ("DABEI",),
        "fr": ("REJOINDRE",),
        "es": ("UNIRME",),
        "it": ("ISCRIVIMI",),
        "nl": ("MEEDOEN",),
        "pt": ("PARTICIPAR",),
    }
    #: How many texts a month the consent wording promises at most.
    SMS_FREQUENCY: str = "4"
    #: ACCOUNT_SID, AUTH_TOKEN, SECONDARY_AUTH_TOKEN, API_KEY, API_SECRET, MESSAGING_SERVICE_SID,
    #: FROM, BASE_URL (tests only), TIMEOUT (seconds).
    TWILIO: Mapping[str, Any] = {}
    #: Changes to the shipped table of provider error codes.
    TWILIO_CODES: Mapping[str, Any] = {}
    #: Whether test numbers (PERSONAL_NUMBER magic numbers) are accepted as phones.
    TEST_NUMBERS: bool = False

    #: Channels by key.
    CHANNELS: Mapping[str, str] = {
        "email": "oscar_crosschannel.channels.email.EmailChannel",
        "sms": "oscar_crosschannel.channels.sms.SmsChannel",
    }
    #: Dotted paths of further policies; a policy can only tighten a channel.
    POLICIES: Sequence[str] = ()
    #: Changes to the shipped table of rules for texts by place, field by field; same shape as
    #: data/texting_rules.json. The merchant's own rows, in the admin, count on top of it.
    TEXTING_RULES: Mapping[str, Any] = {}
    #: Law changes: rules that nobody has compared with it for longer are pointed out.
    REVIEW_RULES_AFTER: timedelta = timedelta(days=180)
    #: Frequency caps as a list of dicts (see core.policies.DEFAULT_CAPS); None: the default ones.
    CAPS: Sequence[Mapping[str, Any]] | None = None
    #: Messages that come out of quiet hours are spread over this time.
    SPREAD: timedelta = timedelta(minutes=30)

    #: Whether a ticked box must be confirmed by the owner of the address.
    DOUBLE_OPT_IN: Mapping[str, bool] = {"sms": True, "email": False}
    #: Where a ticked box must be confirmed whatever DOUBLE_OPT_IN says, as ISO codes by channel: courts
    #: there take nothing else as proof for email.
    DOUBLE_OPT_IN_COUNTRIES: Mapping[str, Sequence[str]] = {"email": ("DE", "AT", "CH")}
    OPT_IN_EXPIRES: Mapping[str, timedelta] = {"sms": timedelta(hours=24), "email": timedelta(days=7)}
    #: Anybody can type any number into a form. So a number that was asked for its YES, and has not said it, is
    #: not asked again for so long; and at most so many are asked in an hour, by the whole shop and because of
    #: one address on the internet (of IPv6, one network). Let the server's REMOTE_ADDR be the visitor's: private
    #: addresses, which a proxy has, are not counted. The ledger of consents says who was not asked, and why.
    OPT_IN_ASKS_AGAIN_AFTER: timedelta = timedelta(days=7)
    OPT_IN_TEXTS_AN_HOUR: int = 200
    OPT_IN_TEXTS_AN_HOUR_BY_IP: int = 10

    #: Keys of signed links, newest first; None: SECRET_KEY and SECRET_KEY_FALLBACKS.
    LINK_KEYS: Sequence[str] | None = None
    #: Key of the address digests in the suppression list. It must never change: set it apart from
    #: SECRET_KEY in production.
    ADDRESS_KEY: str = ""

    #: What the shop stands for, in a sentence or two, for who has just signed up; may be lazily translated.
    #: Empty: nothing is said about it.
    MISSION: str = ""
    #: How long after their last order customers count as gone quiet.
    LAPSED_AFTER: timedelta = timedelta(days=90)

    #: Name of the voucher offer that exclusive codes give when a step names none.
    VOUCHER_OFFER: str = ""
    VOUCHER_PREFIX: str = ""
    VOUCHER_VALID_FOR: timedelta = timedelta(hours=72)
    VOUCHER_GAP: timedelta = timedelta(days=30)
    #: At most this many codes a day over all flows.
    VOUCHER_DAILY_BUDGET: int = 1000

    #: Statuses of orders that came to nothing: a payment that was declined, or never made. While an order
    #: is in any other status, waiting for its payment too, its customer is not chased; when
    #: `Order.set_status` moves it into one of these, the chase goes on from there.
    NON_CONVERTING_STATUSES: Sequence[str] = ()
    #: What the shop's shipping event types, by code or name in any case, and its statuses of orders and lines
    #: say of a parcel: "shipped", "delivered", "delayed" or "cancelled". All others are the shop's own affair.
    #: A shop that uses both is understood once: what an event has told, no status tells again.
    SHIPPING_EVENTS: Mapping[str, str] = {
        "shipped": "shipped",
        "dispatched": "shipped",
        "delivered": "delivered",
        "delayed": "delayed",
        "cancelled": "cancelled",
        "canceled": "cancelled",
    }
    SHIPPING_STATUSES: Mapping[str, str] = {
        "shipped": "shipped",
        "dispatched": "shipped",
        "delivered": "delivered",
        "delayed": "delayed",
        "cancelled": "cancelled",
        "canceled": "cancelled",
    }
    #: Changes to the shipped table of carriers, by key; same shape as data/carriers.json. None: not this one.
    CARRIERS: Mapping[str, Any] = {}
    #: How a tracking number of a carrier that is not in the table looks in the notes of a shipping event: a
    #: regular expression for capitals. Empty: such numbers are not looked for.
    TRACKING_NUMBER: str = ANY_NUMBER
    #: Where customers see an order: a path with `{number}`. Empty: Oscar's own pages; a store without them
    #: names the page of its front end.
    ORDER_URL: str = ""
    #: Topics whose messages wait until people may be texted, though they might go at any hour: what a shop
    #: does not want to say at night, such as "order_updates". Never so long that it would be too late.
    HELD_UNTIL_MORNING: Sequence[str] = ()
    #: Baskets without activity for longer are never chased.
    CART_MAX_AGE: timedelta = timedelta(days=60)
    #: How long a link that restores a basket works.
    RECOVERY_VALID_FOR: timedelta = timedelta(days=14)
    #: Where a restored basket is shown: a path, an address, or the name of one. A store without Oscar's
    #: pages names the page of its own front end.
    BASKET_URL: str = "basket:summary"
    #: Whether the app's consent boxes and account tab show in Oscar's templates by themselves.
    TEMPLATE_INJECTION: bool = True

    #: What becomes of a contact whose account is deleted: "erase", "anonymise" (as "erase", but runs, messages
    #: and clicks stay to be counted), or "keep" (a guest from then on).
    ON_ACCOUNT_DELETION: str = "erase"
    #: How long is kept why each message was or was not sent.
    RETAIN_DECISIONS: timedelta = timedelta(days=180)
    #: How long is kept what was heard from the shop, from people and from providers.
    RETAIN_EVENTS: timedelta = timedelta(days=180)
    #: How long is kept what a webhook or a click brought along: addresses, browsers.
    RETAIN_WEBHOOKS: timedelta = timedelta(days=30)
    #: How long the ledger keeps what was last said about an address, if nobody relies on it any more; the
    #: second if somebody there said stop. Laws ask for 5 years (16 CFR 310.5) and 10 (Virginia, SB 1339).
    RETAIN_CONSENTS: timedelta = timedelta(days=5 * 366)
    RETAIN_REVOCATIONS: timedelta = timedelta(days=10 * 366)

    #: Dotted path of a function that moves a development clock to a datetime; for `crosschannel_run --now`.
    DEVELOPMENT_CLOCK: str = ""
    #: Seconds from tick to tick; also how long a tick stays for texts that wait for their turn.
    TICK_SECONDS: float = 30.0
    #: Messages judged in one transaction; campaigns take more.
    JUDGE_BATCH: int = 200
    JUDGE_BATCH_CAMPAIGN: int = 500
    #: Messages handed over at once, at most 50; fewer if the sender takes longer than a second for them.
    CHUNK: int = 25
    LEASE: timedelta = timedelta(minutes=5)
    #: Provider calls of one message, and the time within which they must fall.
    MAX_CALLS: int = 6
    MAX_CALLS_WITHIN: timedelta = timedelta(hours=4)
    #: Returns by the reaper after which a message is given up as poison.
    MAX_RETURNS: int = 5
    #: How long a broken channel rests before one message probes it.
    CHANNEL_REST: timedelta = timedelta(minutes=15)
    #: Attempts without a final status are looked up after this time.
    LOOK_UP_AFTER: timedelta = timedelta(hours=1)

    def __getattribute__(self, name: str) -> Any:
        default = object.__getattribute__(self, name)
        if not name.isupper():
            return default
        if name == "BRAND":
            default = _shop_name()
        return getattr(django_settings, f"CROSSCHANNEL_{name}", default)

    def link_keys(self) -> list[bytes]:
        """Keys of signed links, newest first."""
        keys = self.LINK_KEYS
        if keys is None:
            keys = [django_settings.SECRET_KEY, *map(str, django_settings.SECRET_KEY_FALLBACKS)]
        return [key.encode() for key in keys]

    def address_key(self) -> bytes:
        """Key of the address digests."""
        return (self.ADDRESS_KEY or django_settings.SECRET_KEY).encode()


def _shop_name() -> str:
    """What Oscar calls the shop; nothing where the project has not named it, for Oscar calls that one "Oscar"."""
    name = str(getattr(django_settings, "OSCAR_SHOP_NAME", ""))
    return "" if name == "Oscar" else name


settings = Settings()


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: what tests and a development server may use without TLS."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


#: The project's flows; `oscar_crosschannel.register` adds to it.
flows = Registry()

#: What merchants may start and stop flows of their own with; `register_trigger` adds to it.
triggers = Triggers()

_bound: dict[str, Shop] = {}


def bind_shop(shop: Shop) -> None:
    """Tell the services which shop they work for. Called once, in `AppConfig.ready`."""
    _bound["shop"] = shop


def shop() -> Shop:
    """The bound shop. Raises RuntimeError before the app is ready."""
    if "shop" not in _bound:
        raise RuntimeError("No shop is bound: is oscar_crosschannel in INSTALLED_APPS?")
    return _bound["shop"]
