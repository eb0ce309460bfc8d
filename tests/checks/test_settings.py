"""A healthy shop hears nothing; each fault is named once, and pasting its cure silences it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import global_settings
from django.core.checks import run_checks
from django.template.loader import get_template

from oscar_crosschannel import checks
from sandbox import settings as sandbox

from .pasting import HOST, found, paste, templates_with

TWILIO = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
DAY = timedelta(days=1)
CAP = {"name": "texts", "most": 1, "window": DAY, "channels": ["sms"]}
CREDENTIALS = {"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "secret", "MESSAGING_SERVICE_SID": "MG1"}


def test_a_shop_that_is_set_up_hears_nothing() -> None:
    assert found() == {}


def test_a_fresh_sandbox_hears_nothing(settings: Any) -> None:
    settings.DEBUG = sandbox.DEBUG
    settings.CROSSCHANNEL_BASE_URL = sandbox.CROSSCHANNEL_BASE_URL
    settings.CROSSCHANNEL_SMS_BACKEND = sandbox.CROSSCHANNEL_SMS_BACKEND

    assert found() == {}


def test_the_shop_is_called_what_oscar_calls_it(settings: Any) -> None:
    del settings.CROSSCHANNEL_BRAND
    assert found() == {}

    settings.OSCAR_SHOP_NAME = "Oscar"  # its default: nobody has named this shop
    assert list(found()) == ["E005"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CROSSCHANNEL_BASE_URL": ""}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": HOST}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": f"https://{HOST}/"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": f"http://{HOST}"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "http://127.0.0.1:8000"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "", "DEBUG": True}, "W004"),
        ({"CROSSCHANNEL_BASE_URL": f"http://{HOST}", "DEBUG": True}, "W004"),
        ({"CROSSCHANNEL_BASE_URL": "https://www.shop.example"}, "W033"),
        ({"CROSSCHANNEL_BRAND": ""}, "E005"),
        ({"CROSSCHANNEL_BRAND": "", "DEBUG": True}, "W005"),
        ({"CROSSCHANNEL_EMAIL_FROM_MARKETING": ""}, "W012"),
        ({"CROSSCHANNEL_POSTAL_ADDRESS": ""}, "W012"),
        ({"CROSSCHANNEL_EMAIL_FROM_MARKETING": "", "CROSSCHANNEL_POSTAL_ADDRESS": ""}, "W012"),
        ({"CROSSCHANNEL_EMAIL_FROM_MARKETING": "Quillbrook"}, "E031"),
        ({"CROSSCHANNEL_EMAIL_FROM_TRANSACTIONAL": "orders@quillbrook"}, "E031"),
        ({"CROSSCHANNEL_EMAIL_INBOUND": "hello@"}, "E031"),
        ({"CROSSCHANNEL_TERMS_URL": ""}, "W032"),
        ({"CROSSCHANNEL_PRIVACY_URL": ""}, "W032"),
        ({"CROSSCHANNEL_ADDRESS_KEY": ""}, "W014"),
        ({"CROSSCHANNEL_ADDRESS_KEY": "…"}, "W014"),
        (
            {
                "CROSSCHANNEL_EMAIL_FROM_TRANSACTIONAL": "",
                "DEFAULT_FROM_EMAIL": global_settings.DEFAULT_FROM_EMAIL,
            },
            "W043",
        ),
        ({"CROSSCHANNEL_SMS_BACKEND": "shop.texts.Backend"}, "E010"),
        ({"CROSSCHANNEL_EMAIL_BACKEND": "shop.mail.Backend"}, "E010"),
        ({"CROSSCHANNEL_POLICIES": ["shop.policies.nothing"]}, "E010"),
        ({"CROSSCHANNEL_CHANNELS": {"sms": "shop.channels.Sms"}}, "E010"),
        ({"CROSSCHANNEL_BARND": "Quillbrook"}, "W039"),
        ({"CROSSCHANNEL_COLOUR_OF_THE_SKY": "blue"}, "W039"),
        ({"CROSSCHANNEL_TEXTING_RULES": {"XX": {"hours": {"someday": "8-9"}}}}, "E011"),
        ({"CROSSCHANNEL_TEXTING_RULES": {"XX": {"hours": date(2026, 1, 1)}}}, "E011"),
        ({"CROSSCHANNEL_CAPS": [{"name": "texts", "most": 1}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "windows": DAY}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "window": "1 day"}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "most": "1"}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "channels": "sms"}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": ["texts"]}, "E019"),
        ({"USE_TZ": False}, "E020"),
        ({"CROSSCHANNEL_SMS_OPT_OUT_REPLIES": "app-managed"}, "E021"),
        ({"CROSSCHANNEL_SMS_BUDGET_DAILY": "500"}, "E084"),
        ({"CROSSCHANNEL_SMS_BUDGET_MONTHLY": -1}, "E084"),
        ({"SECURE_SSL_REDIRECT": True}, "W016"),
    ],
)
@pytest.mark.rule(46, 47)
def test_a_fault_is_named_and_its_hint_pasted_is_the_cure(
    changes: dict[str, Any], expected: str, settings: Any
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    messages = found()
    assert list(messages) == [expected]

    paste(messages[expected], settings)
    assert found() == {}


def test_the_hint_knows_the_shop(settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_FROM_MARKETING = ""
    assert "Quillbrook <hello@news.shop.example>" in str(found()["W012"].hint)

    settings.ALLOWED_HOSTS = ["127.0.0.1", ".tea.example", "www.tea.example"]
    settings.CROSSCHANNEL_BASE_URL = ""
    assert "https://www.tea.example" in str(found()["E004"].hint)

    settings.DEBUG = True
    assert "http://127.0.0.1:8000" in str(found()["W004"].hint)


def test_a_misspelled_setting_is_recognised(settings: Any) -> None:
    del settings.CROSSCHANNEL_BRAND
    settings.CROSSCHANNEL_BARND = "Tea"

    paste(found()["W039"], settings)

    assert settings.CROSSCHANNEL_BRAND == "Tea"


def test_caps_and_answers_that_a_shop_may_choose_are_no_fault(settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = [CAP, {**CAP, "name": "all", "channels": []}]
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"

    assert found() == {}


def test_a_shop_that_runs_already_is_told_to_keep_its_digests(settings: Any) -> None:
    settings.CROSSCHANNEL_ADDRESS_KEY = ""

    assert "SECRET_KEY in use now" in str(found()["W014"].hint)


@pytest.mark.parametrize("url", ["http://localhost:8000", "https://a.tunnel.example"])
def test_a_developers_address_is_no_fault(settings: Any, url: str) -> None:
    settings.DEBUG = True
    settings.CROSSCHANNEL_BASE_URL = url

    assert found() == {}


@pytest.mark.parametrize(
    ("twilio", "expected"),
    [
        (CREDENTIALS, []),
        ({**CREDENTIALS, "MESSAGING_SERVICE_SID": "", "FROM": "+12065550100"}, []),
        ({**CREDENTIALS, "BASE_URL": "http://127.0.0.1:9000"}, []),
        ({**CREDENTIALS, "TIMEOUT": 20}, []),
        ({}, ["E006", "E007"]),
        ({**CREDENTIALS, "AUTH_TOKEN": ""}, ["E006"]),
        ({**CREDENTIALS, "AUTH_TOKEN": "", "API_KEY": "SK1"}, ["E006"]),
        ({**CREDENTIALS, "AUTH_TOKEN": "", "API_KEY": "SK1", "API_SECRET": "s"}, ["W018"]),
        ({**CREDENTIALS, "FROM": "+12065550100"}, ["E007"]),
        ({**CREDENTIALS, "MESSAGING_SERVICE_SID": ""}, ["E007"]),
        ({**CREDENTIALS, "BASE_URL": "https://twilio.test.example"}, ["E008"]),
        ({**CREDENTIALS, "TIMEOUT": 600}, ["W037"]),
    ],
)
@pytest.mark.rule(57, 64, 86)
def test_twilio_must_be_able_to_work_once_it_is_chosen(
    twilio: dict[str, Any], expected: list[str], settings: Any
) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = TWILIO
    settings.CROSSCHANNEL_TWILIO = twilio
    messages = found()
    assert sorted(messages) == expected

    for finding in messages.values():
        paste(finding, settings)
    assert found() == {}


@pytest.mark.rule(64)
def test_twilio_chosen_and_nothing_more_said_is_a_fault(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = TWILIO
    del settings.CROSSCHANNEL_TWILIO
    messages = found()
    assert sorted(messages) == ["E006", "E007"]

    paste(messages["E006"], settings)
    assert list(found()) == ["E007"]


@pytest.mark.rule(64)
def test_without_a_provider_nothing_is_missing(settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = {}

    assert found() == {}


@pytest.mark.rule(86)
def test_a_developer_may_point_twilio_at_another_machine(settings: Any) -> None:
    settings.DEBUG = True
    settings.CROSSCHANNEL_SMS_BACKEND = TWILIO
    settings.CROSSCHANNEL_TWILIO = {**CREDENTIALS, "BASE_URL": "http://mock:9000"}

    assert found() == {}


@pytest.mark.rule(5)
@pytest.mark.parametrize("kind", ["sms", "sms_keyword"])
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("{{ brand }}", "who sends the messages"),
        ("Message and data rates may apply", "Message and data rates may apply"),
        ("STOP", "STOP"),
        ("HELP", "HELP"),
        ("{{ terms_url }}", "the address of the terms"),
    ],
)
def test_words_beside_the_box_for_texts_that_lack_what_carriers_ask_for_are_named(
    kind: str, part: str, told: str, settings: Any, tmp_path: Path
) -> None:
    file = f"oscar_crosschannel/consent/{kind}.txt"
    shipped = Path(str(get_template(file).origin)).read_text()
    settings.TEMPLATES = templates_with(tmp_path, file, shipped.replace(part, "…"))
    assert told in found()["W040"].msg

    note, _, cure = str(found()["W040"].hint).partition("\n")
    assert file in note
    settings.TEMPLATES = templates_with(tmp_path, file, f"topics: basket_reminders\n{cure}")
    assert found() == {}


@pytest.mark.rule(5)
def test_what_must_be_said_in_so_many_words_is_asked_of_english_only(settings: Any, tmp_path: Path) -> None:
    settings.LANGUAGE_CODE, settings.LANGUAGES = "de", [("de", "German")]
    words = (
        "{{ brand }} darf mir bis zu {{ frequency }} Nachrichten im Monat schicken ({{ topics }}). "
        "STOP beendet es, HELP hilft. {{ terms_url }} {{ privacy_url }}"
    )
    for left_out, numbers in (("", []), ("{{ brand }}", ["W040"]), ("STOP", ["W040"])):
        written = words.replace(left_out, "…") if left_out else words
        for kind in ("sms", "sms_keyword"):
            text = f"topics: basket_reminders\n{written}"
            settings.TEMPLATES = templates_with(tmp_path, f"oscar_crosschannel/consent/{kind}.txt", text)
        assert list(found()) == numbers


def test_that_guests_cannot_check_out_is_said_to_those_who_ask(settings: Any) -> None:
    settings.OSCAR_ALLOW_ANON_CHECKOUT = False
    assert found() == {}

    (advice,) = [
        message
        for message in run_checks(tags=[checks.TAG], include_deployment_checks=True)
        if message.id == "oscar_crosschannel.I029"
    ]
    paste(advice, settings)
    assert run_checks(tags=[checks.TAG], include_deployment_checks=True) == []
