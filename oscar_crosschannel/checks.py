"""System checks: what would go wrong later, said before it does.

Imported in `AppConfig.ready`, which registers them. All carry the tag `oscar_crosschannel`, so that
the admin can show what is wrong to people who never see a terminal. Numbers of ids are never used
twice; E and W with one number are the same finding, milder with DEBUG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning as Caution, register
from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from .conf import flows, is_loopback, settings
from .models import Flow, FlowStep, Message
from .services import facts, law

#: Tag of every check here.
TAG = "oscar_crosschannel"

#: Seconds a transaction on SQLite waits for another one; Django's 5 are too few beside a worker.
SQLITE_TIMEOUT = 20
#: Hours of texting are law, and law changes: somebody should look at the table this often.
REVIEW_AFTER = timedelta(days=180)

_TWILIO = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"

#: Who answers STOP and HELP: the provider, or this app.
_OPT_OUT_REPLIES = ("carrier_managed", "app_managed")

_SQLITE_HINT = (
    'DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20, '
    '"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"}'
)

AppConfigs = Sequence[AppConfig] | None


@register(TAG)
def check_database(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The ledger is proven on two databases, each in one mode."""
    return database_problems(_connection())


@register(TAG, Tags.database)
def check_open_database(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What only the server knows: its default isolation, the journal of the file."""
    connection = _connection()
    if connection.alias not in (databases or ()):
        return []
    if connection.vendor == "postgresql":
        return _check_isolation(_ask(connection, "SHOW transaction_isolation"))
    if connection.vendor == "sqlite" and _ask(connection, "PRAGMA journal_mode") not in ("wal", "memory"):
        return [
            Caution(
                "SQLite runs without its write-ahead log: readers and the worker block each other.",
                hint=_SQLITE_HINT,
                id="oscar_crosschannel.W017",
            )
        ]
    return []


@register(TAG, Tags.database)
def check_voucher_offers(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A step that promises an exclusive code has an open offer to give it from."""
    promised = [(flow.key, step.key) for flow in flows for step in flow.plan().steps if step.voucher]
    if not promised or _connection().alias not in (databases or ()):
        return []
    try:
        empty = _steps_without_offer(promised)
    except DatabaseError:  # before the first migration
        return []
    if not empty:
        return []
    return [
        Caution(
            f"No code can be given by {', '.join(empty)}: there is no open voucher offer named "
            f"{settings.VOUCHER_OFFER!r}, and the step names no other. These messages are not sent.",
            hint="Create an offer of type Voucher in the dashboard, and name it: "
            'CROSSCHANNEL_VOUCHER_OFFER = "Come back: 10 % off"',
            id="oscar_crosschannel.W022",
        )
    ]


@register(TAG)
def check_shop(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """What messages say of their sender, and where their links lead."""
    found: list[CheckMessage] = []
    if problem := _base_url_problem():
        found.append(
            _serious(
                4,
                f"CROSSCHANNEL_BASE_URL {problem}. Links in emails and texts are built from it.",
                'CROSSCHANNEL_BASE_URL = "https://shop.example"',
            )
        )
    if not settings.BRAND:
        found.append(
            _serious(
                5,
                "CROSSCHANNEL_BRAND is not set. No marketing text is sent without the name of its sender.",
                'CROSSCHANNEL_BRAND = "Example Shop"',
            )
        )
    if not settings.ADDRESS_KEY and not django_settings.DEBUG:
        found.append(
            Caution(
                "CROSSCHANNEL_ADDRESS_KEY is not set. The suppression list is keyed with SECRET_KEY, "
                "and changing that would forget who said stop.",
                hint='A shop that runs already: CROSSCHANNEL_ADDRESS_KEY = "<the SECRET_KEY in use now>", so '
                "that the list stays readable. A new shop: CROSSCHANNEL_ADDRESS_KEY = "
                "\"<python -c 'import secrets; print(secrets.token_hex(32))'>\"",
                id="oscar_crosschannel.W014",
            )
        )
    return found


@register(TAG)
def check_email(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Marketing email without a sender of its own or a postal address is refused."""
    missing = [
        f"CROSSCHANNEL_{name}"
        for name in ("EMAIL_FROM_MARKETING", "POSTAL_ADDRESS")
        if not getattr(settings, name)
    ]
    if not missing:
        return []
    return [
        Caution(
            f"No marketing email will be sent: {' and '.join(missing)} not set.",
            hint='CROSSCHANNEL_EMAIL_FROM_MARKETING = "Example Shop <hello@news.shop.example>"; '
            'CROSSCHANNEL_POSTAL_ADDRESS = "Example Shop, 1 High Street, 12345 Town"',
            id="oscar_crosschannel.W012",
        )
    ]


@register(TAG)
def check_twilio(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Once Twilio is chosen, it must be able to work."""
    return list(_twilio_problems(settings.TWILIO)) if settings.SMS_BACKEND == _TWILIO else []


@register(TAG)
def check_paths(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Settings that name code name code that is there."""
    paths = {
        "SMS_BACKEND": [settings.SMS_BACKEND],
        "EMAIL_BACKEND": [settings.EMAIL_BACKEND] if settings.EMAIL_BACKEND else [],
        "CHANNELS": list(settings.CHANNELS.values()),
        "POLICIES": list(settings.POLICIES),
    }
    return [
        Error(
            f"CROSSCHANNEL_{name}: {path!r} cannot be imported: {reason}",
            hint=f"Correct the dotted path in CROSSCHANNEL_{name}.",
            id="oscar_crosschannel.E010",
        )
        for name, named in paths.items()
        for path in named
        if (reason := _import_problem(path))
    ]


@register(TAG)
def check_hours(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The table of legal hours can be read, and somebody looked at it lately."""
    try:
        rows = law.book().rows
    except ValueError as error:
        return [Error(str(error), hint="Correct CROSSCHANNEL_SMS_HOURS.", id="oscar_crosschannel.E011")]
    oldest_allowed = timezone.now().date() - REVIEW_AFTER
    old = sorted(key for key, row in rows.items() if row.reviewed_on and row.reviewed_on < oldest_allowed)
    if not old:
        return []
    return [
        Caution(
            f"The hours for texting {', '.join(old)} were last compared with the law more than "
            f"{REVIEW_AFTER.days} days ago.",
            hint="Update the app, or review the rows and date them: "
            f'CROSSCHANNEL_SMS_HOURS = {{"{old[0]}": {{"hours": {{…}}, '
            f'"reviewed_on": "{timezone.now().date()}"}}}}',
            id="oscar_crosschannel.W015",
        )
    ]


@register(TAG)
def check_caps(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The project's caps on frequency can be read, and bind channels that exist."""
    if settings.CAPS is None:
        return []
    try:
        wrong = ", ".join(repr(cap.name) for cap in facts.current_caps() if not _is_cap(cap))
    except (AttributeError, TypeError, ValueError) as error:
        wrong = str(error)
    if not wrong:
        return []
    return [
        Error(
            f"CROSSCHANNEL_CAPS cannot be read: {wrong}",
            hint='CROSSCHANNEL_CAPS = [{"name": "texts a day", "most": 1, "window": timedelta(hours=24), '
            '"channels": ["sms"]}]',
            id="oscar_crosschannel.E019",
        )
    ]


@register(TAG)
def check_time_zones(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Legal hours and delays are reckoned with instants, not with times on a wall."""
    if django_settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is off: without time zones nobody's hours of texting are known, and nothing can be sent.",
            hint="USE_TZ = True",
            id="oscar_crosschannel.E020",
        )
    ]


@register(TAG)
def check_opt_out_replies(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """It is decided who answers STOP: nobody, or two, would be against the carriers' rules."""
    if settings.SMS_OPT_OUT_REPLIES in _OPT_OUT_REPLIES:
        return []
    return [
        Error(
            f"CROSSCHANNEL_SMS_OPT_OUT_REPLIES is {settings.SMS_OPT_OUT_REPLIES!r}.",
            hint='CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "carrier_managed"  # or "app_managed"',
            id="oscar_crosschannel.E021",
        )
    ]


@register(TAG)
def check_installation(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The app stands where Oscar's templates and visitors find it."""
    found: list[CheckMessage] = []
    if not _urls_are_included():
        found.append(
            Error(
                "The addresses of this app are not in the URLconf: no link in a message would work.",
                hint='urlpatterns += [path("cc/", include("oscar_crosschannel.urls"))]  # outside i18n_patterns',
                id="oscar_crosschannel.E009",
            )
        )
    if settings.TEMPLATE_INJECTION and _stands_after_oscar():
        found.append(
            Caution(
                "oscar_crosschannel comes after Oscar in INSTALLED_APPS: its consent boxes do not show.",
                hint='INSTALLED_APPS = [..., "oscar_crosschannel", "oscar.config.Shop", ...]',
                id="oscar_crosschannel.W013",
            )
        )
    if django_settings.SECURE_SSL_REDIRECT and getattr(django_settings, "OSCAR_URL_SCHEMA", "http") == "http":
        found.append(
            Caution(
                "Oscar writes http links into its own emails although the shop redirects to https.",
                hint='OSCAR_URL_SCHEMA = "https"',
                id="oscar_crosschannel.W016",
            )
        )
    return found


def database_problems(connection: BaseDatabaseWrapper) -> list[CheckMessage]:
    """What the settings of this database say, without opening it."""
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor == "sqlite":
        return list(_check_sqlite_options(options))
    if connection.vendor == "postgresql":
        level = options.get("isolation_level")
        return [] if level is None else _check_isolation(getattr(level, "name", str(level)))
    return [
        Error(
            f"The sending ledger does not work on {connection.display_name}.",
            hint='Use "ENGINE": "django.db.backends.postgresql" (or sqlite3 for a small shop).',
            id="oscar_crosschannel.E001",
        )
    ]


def _steps_without_offer(promised: Sequence[tuple[str, str]]) -> list[str]:
    offer_model = apps.get_model("offer", "ConditionalOffer")
    is_open = {"offer_type": offer_model.VOUCHER, "status": offer_model.OPEN}
    if offer_model.objects.filter(name=settings.VOUCHER_OFFER, **is_open).exists():
        return []
    tuned = FlowStep.objects.filter(flow__key__in=[flow for flow, _ in promised])
    served = tuned.filter(
        Q(removed_at__isnull=False) | Q(offer__in=offer_model.objects.filter(**is_open))
    ).values_list("flow__key", "key")
    off = set(Flow.objects.filter(enabled=False).values_list("key", flat=True))
    settled = set(served)
    return [f"{flow}:{step}" for flow, step in promised if flow not in off and (flow, step) not in settled]


def _is_cap(cap: Any) -> bool:
    """Whether the values of a `Cap` from the settings are of the kinds it declares."""
    return (
        isinstance(cap.most, int)
        and isinstance(cap.window, timedelta)
        and cap.channels <= settings.CHANNELS.keys()
    )


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(Message)]


def _ask(connection: BaseDatabaseWrapper, question: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return str(cursor.fetchone()[0]).lower()


def _check_sqlite_options(options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    wrong = []
    if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        # measured: with Django's default a view that reads before it writes loses half its writes
        wrong.append('"transaction_mode" must be "IMMEDIATE"')
    if options.get("timeout", 0) < SQLITE_TIMEOUT:
        wrong.append(f'"timeout" must be at least {SQLITE_TIMEOUT}')
    if wrong:
        yield Error(
            f'SQLite would answer "database is locked" while the worker writes: {" and ".join(wrong)}.',
            hint=_SQLITE_HINT,
            id="oscar_crosschannel.E002",
        )


def _check_isolation(level: str) -> list[CheckMessage]:
    if level.lower().replace("_", " ") == "read committed":
        return []
    return [
        Error(
            f"PostgreSQL works in isolation level {level!r}; the engine's locks need READ COMMITTED.",
            hint='Remove "isolation_level" from DATABASES["default"]["OPTIONS"], or: '
            "ALTER DATABASE shop SET default_transaction_isolation TO 'read committed';",
            id="oscar_crosschannel.E003",
        )
    ]


def _serious(number: int, message: str, hint: str) -> CheckMessage:
    """An error; on a developer's machine a warning, so that a fresh installation migrates."""
    if django_settings.DEBUG:
        return Caution(message, hint=hint, id=f"oscar_crosschannel.W{number:03}")
    return Error(message, hint=hint, id=f"oscar_crosschannel.E{number:03}")


def _base_url_problem() -> str:
    base = settings.BASE_URL
    if not base:
        return "is not set"
    parts = urlsplit(base)
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or base != f"{parts.scheme}://{parts.netloc}"
    ):
        return f"must be a scheme and a host without a slash at the end, not {base!r}"
    if parts.scheme == "http" and not (django_settings.DEBUG and is_loopback(parts.hostname)):
        return "must begin with https://"
    return ""


def _twilio_problems(config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    has_key = config.get("API_KEY") and config.get("API_SECRET")
    if not config.get("ACCOUNT_SID") or not (config.get("AUTH_TOKEN") or has_key):
        yield Error(
            "Twilio is chosen without credentials: no text will be sent.",
            hint='CROSSCHANNEL_TWILIO = {"ACCOUNT_SID": "AC…", "AUTH_TOKEN": "…", "MESSAGING_SERVICE_SID": "MG…"}',
            id="oscar_crosschannel.E006",
        )
    elif not config.get("AUTH_TOKEN"):
        yield Caution(
            "Twilio signs its webhooks with the auth token: without it, STOP, YES and delivery reports "
            "are turned away.",
            hint='Add "AUTH_TOKEN" to CROSSCHANNEL_TWILIO, also beside an API key.',
            id="oscar_crosschannel.W018",
        )
    if bool(config.get("FROM")) == bool(config.get("MESSAGING_SERVICE_SID")):
        both = "both FROM and" if config.get("FROM") else "neither FROM nor"
        yield Error(
            f"CROSSCHANNEL_TWILIO has {both} MESSAGING_SERVICE_SID: who sends the texts?",
            hint='Keep one: "MESSAGING_SERVICE_SID": "MG…", or "FROM": "+12065550100".',
            id="oscar_crosschannel.E007",
        )
    base = str(config.get("BASE_URL", ""))
    if base and not django_settings.DEBUG and not is_loopback(urlsplit(base).hostname or ""):
        yield Error(
            "CROSSCHANNEL_TWILIO names a BASE_URL on another machine: it is for tests only.",
            hint='Remove "BASE_URL" from CROSSCHANNEL_TWILIO.',
            id="oscar_crosschannel.E008",
        )


def _import_problem(path: str) -> str:
    try:
        import_string(path)
    except ImportError as error:
        return str(error)
    return ""


def _urls_are_included() -> bool:
    try:
        reverse("oscar_crosschannel:click", args=["token"])
    except NoReverseMatch:
        return False
    return True


def _stands_after_oscar() -> bool:
    labels = [config.label for config in apps.get_app_configs()]
    return "oscar" in labels and labels.index("oscar") < labels.index("oscar_crosschannel")
