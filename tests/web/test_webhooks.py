"""What the SMS provider sends us. Every request here is signed as the provider signs it."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from twilio.request_validator import RequestValidator

from oscar_crosschannel.models import ConsentEvent, Contact, InboxEvent
from oscar_crosschannel.services import inbox, suppressions
from oscar_crosschannel.web import webhooks
from tests.services.shoppers import PHONE, TOPICS, permitted
from tests.web.conftest import BASE_URL

TOKEN = "primary token"
UUID_1 = UUID("12345678-1234-5678-1234-567812345678")
STATUS_PATH = f"/cc/twilio/status/{UUID_1}/"
INBOUND_PATH = "/cc/twilio/inbound/"


@pytest.fixture(autouse=True)
def twilio(settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = {"AUTH_TOKEN": TOKEN, "SECONDARY_AUTH_TOKEN": "next token"}


def sign(url: str, fields: dict[str, str], secret: str = TOKEN, algorithm: str | None = None) -> str:
    return str(RequestValidator(secret).compute_signature(url, fields, algorithm))


def post(path: str, fields: dict[str, str], *, secret: str = TOKEN, **headers: str) -> HttpResponse:
    signature = sign(BASE_URL + path, fields, secret)
    client = Client(enforce_csrf_checks=True)
    return client.post(path, fields, headers={"X-Twilio-Signature": signature, **headers})  # type: ignore[return-value]


def text(body: str, sid: str = "SM1", **fields: str) -> dict[str, str]:
    return {"MessageSid": sid, "From": PHONE, "To": "+12025550100", "Body": body, "NumMedia": "0", **fields}


def report(status: str, **fields: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "To": PHONE, "AccountSid": "AC1", **fields}


# it works


@pytest.mark.rule(66)
def test_the_signature_of_the_providers_own_example(settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = {"AUTH_TOKEN": "12345"}
    settings.CROSSCHANNEL_BASE_URL = "https://mycompany.com"
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    signature = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
    request = RequestFactory().post("/myapp.php?foo=1&bar=2", fields, headers=signature)
    assert webhooks._is_signed(request)
    request = RequestFactory().post("/myapp.php?foo=1&bar=3", fields, headers=signature)
    assert not webhooks._is_signed(request)


@pytest.mark.rule(16, 69, 70)
def test_a_stop_takes_effect_with_its_record(ann: Contact) -> None:
    answer = post(INBOUND_PATH, text("STOP"))
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    assert answer.content.decode().endswith("<Response />")
    assert permitted(ann, "sms") == set()
    assert suppressions.in_force("sms", PHONE) is not None
    event = ConsentEvent.objects.get(action="revoke")
    assert event.provider_id == InboxEvent.objects.get(name="sms.received").key == "SM1"


@pytest.mark.rule(70)
def test_a_reply_is_twiml(ann: Contact, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"
    settings.CROSSCHANNEL_BRAND = "Quill & Brook"
    answer = post(INBOUND_PATH, text("STOP"))
    assert answer["Content-Type"] == "text/xml"
    assert "<Message>Quill &amp; Brook: You are unsubscribed" in answer.content.decode()


@pytest.mark.rule(18)
def test_the_providers_own_opt_out_counts(ann: Contact) -> None:
    post(INBOUND_PATH, text("ça suffit", OptOutType="STOP"))
    assert permitted(ann, "sms") == set()


@pytest.mark.rule(68, 69)
@pytest.mark.parametrize("status", ["delivered", "undelivered", "a status nobody knows yet"])
def test_a_report_is_stored_whatever_it_says(status: str) -> None:
    answer = post(STATUS_PATH, report(status, ErrorCode="30003", RawDlrDoneDate="2603101200"))
    assert (answer.status_code, answer.content) == (204, b"")
    event = InboxEvent.objects.get(name="sms.status")
    assert event.key == f"SM1:{status}"
    assert event.data == {"uuid": str(UUID_1), "sid": "SM1", "status": status, "code": "30003"}


@pytest.mark.rule(66)
def test_it_works_behind_a_proxy_that_ends_tls(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"X-Forwarded-Proto": "https", "Host": "127.0.0.1"}
    assert post(STATUS_PATH, report("sent"), **headers).status_code == 204


@pytest.mark.rule(65)
def test_the_secondary_token_is_accepted_while_tokens_change() -> None:
    assert post(STATUS_PATH, report("sent"), secret="next token").status_code == 204


@pytest.mark.rule(66)
def test_query_and_missing_slash_are_part_of_what_is_signed() -> None:
    assert post(f"{STATUS_PATH}?shop=1", report("sent")).status_code == 204
    assert post(STATUS_PATH.rstrip("/"), report("queued")).status_code == 204


@pytest.mark.rule(67)
def test_a_doubled_webhook_counts_once(ann: Contact, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"
    answers = [post(INBOUND_PATH, text("STOP")) for _ in range(3)]
    assert [b"<Message>" in answer.content for answer in answers] == [True, False, False]
    assert {(answer.status_code, answer["Content-Type"]) for answer in answers} == {(200, "text/xml")}
    for _ in range(3):
        assert post(STATUS_PATH, report("sent")).status_code == 204
    assert InboxEvent.objects.filter(name="sms.status").count() == 1
    assert ConsentEvent.objects.filter(action="revoke").count() == 1


# it refuses


@pytest.mark.rule(65)
@pytest.mark.parametrize("path", [INBOUND_PATH, STATUS_PATH])
@pytest.mark.parametrize("signature", [None, "", "wrong", "Ünsigned"])
def test_an_unsigned_request_is_refused_and_leaves_nothing(
    path: str, signature: str | None, ann: Contact, caplog: pytest.LogCaptureFixture
) -> None:
    fields = text("STOP") | report("sent")
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    assert Client().post(path, fields, headers=headers).status_code == 403
    assert not InboxEvent.objects.exists()
    assert permitted(ann, "sms") == set(TOPICS)
    assert "did not sign" in caplog.text


@pytest.mark.rule(65)
def test_a_signature_for_other_words_or_another_address_is_refused() -> None:
    fields = text("STOP")
    others = [
        sign(BASE_URL + INBOUND_PATH, text("HELLO")),
        sign("http://shop.example" + INBOUND_PATH, fields),
        sign(f"http://testserver{INBOUND_PATH}", fields),
        sign(BASE_URL + INBOUND_PATH + "?", fields),
        sign(BASE_URL + INBOUND_PATH, fields, "another shop's token"),
    ]
    for signature in others:
        answer = Client().post(INBOUND_PATH, fields, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 403


@pytest.mark.rule(65)
def test_a_header_cannot_choose_the_algorithm() -> None:
    fields = text("STOP")
    signature = sign(BASE_URL + INBOUND_PATH, fields, TOKEN, "HMAC_SHA256")
    headers = {
        "X-Twilio-Signature": signature,
        "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    assert Client().post(INBOUND_PATH, fields, headers=headers).status_code == 403


@pytest.mark.rule(65)
def test_a_shop_without_credentials_believes_nobody(settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = {"AUTH_TOKEN": ""}
    assert post(INBOUND_PATH, text("STOP"), secret="").status_code == 403


def test_a_signed_request_without_its_ids_is_refused() -> None:
    assert post(INBOUND_PATH, {"Body": "STOP"}).status_code == 400
    assert post(STATUS_PATH, {"MessageStatus": "sent"}).status_code == 400


def test_webhooks_take_posts_only() -> None:
    assert Client().get(INBOUND_PATH).status_code == 405
    assert Client().get(STATUS_PATH).status_code == 405


# it survives


@pytest.mark.rule(69)
@pytest.mark.parametrize(("path", "fields"), [(INBOUND_PATH, text("STOP")), (STATUS_PATH, report("sent"))])
def test_a_broken_database_makes_the_provider_call_again(
    path: str, fields: dict[str, str], ann: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("no space left")

    monkeypatch.setattr(inbox, "record", fail)
    signature = {"X-Twilio-Signature": sign(BASE_URL + path, fields)}
    client = Client(raise_request_exception=False)
    assert client.post(path, fields, headers=signature).status_code == 500
    monkeypatch.undo()
    assert client.post(path, fields, headers=signature).status_code in (200, 204)


@pytest.mark.rule(69)
def test_a_store_that_wants_log_ins_everywhere_still_hears_the_provider(settings: Any) -> None:
    auth = settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[: auth + 1],
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        *settings.MIDDLEWARE[auth + 1 :],
    ]
    assert post(INBOUND_PATH, text("hello")).status_code == 200
    assert post(STATUS_PATH, report("sent")).status_code == 204


@pytest.mark.rule(73)
def test_numbers_and_words_stay_out_of_the_log(ann: Contact, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    post(INBOUND_PATH, text("STOP writing to Ann"))
    post(INBOUND_PATH, text("STOP writing to Ann"), secret="forged")
    post(STATUS_PATH, report("undelivered"))
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.request")
    assert PHONE not in logged
    assert "Ann" not in logged


def test_the_address_of_a_status_report_carries_the_attempt() -> None:
    uuid = uuid4()
    assert reverse("oscar_crosschannel:twilio_status", args=[uuid]) == f"/cc/twilio/status/{uuid}/"
