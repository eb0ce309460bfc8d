"""The counterpart of Twilio: what stores' own tests rely on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from twilio.request_validator import RequestValidator

from oscar_crosschannel.testing.sms_counterpart import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    NUMBER,
    Fault,
    Reply,
    SmsCounterpart,
    post_by_http,
    post_through,
)

ADA = "+12025550123"
HOST = "https://shop.example"
STATUS, INBOUND = f"{HOST}/status/?attempt=1", f"{HOST}/inbound/"

received: list[
    tuple[str, dict[str, str], bool]
] = []  #: what the app's webhooks got, and whether it is Twilio's


def webhook(request: HttpRequest) -> HttpResponse:
    """What a store's webhook does: check the signature, answer in TwiML."""
    url = request.build_absolute_uri()
    signature = request.headers.get("X-Twilio-Signature", "")
    genuine = RequestValidator(AUTH_TOKEN).validate(url, request.POST, signature)
    received.append((url, request.POST.dict(), genuine))
    if not genuine:
        return HttpResponse(status=403)
    answer = "<Message><Body>Hello &amp; welcome</Body></Message>" if "inbound" in url else ""
    return HttpResponse(f"<Response>{answer}</Response>", content_type="text/xml")


urlpatterns = [path("status/", webhook), path("inbound/", webhook)]


@pytest.fixture(autouse=True)
def _store(settings: Any) -> None:
    received.clear()
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    settings.ALLOWED_HOSTS = ["shop.example"]


@pytest.fixture
def counterpart() -> Iterator[SmsCounterpart]:
    with SmsCounterpart(post=post_through(Client())) as counterpart:
        yield counterpart


def send(counterpart: SmsCounterpart, **changes: str) -> requests.Response:
    """One API call without the SDK."""
    fields = {"To": ADA, "From": NUMBER, "Body": "Hello", "StatusCallback": STATUS, **changes}
    return requests.post(api(counterpart), data=fields, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=10)


def api(counterpart: SmsCounterpart) -> str:
    return f"{counterpart.base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


# It works.


def test_a_message_is_taken_and_shown_as_twilio_shows_it(counterpart: SmsCounterpart) -> None:
    answer = send(counterpart)
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["status"], shown["num_segments"], shown["error_code"]) == ("queued", "1", None)
    assert shown["sid"] == counterpart.phone(ADA)[0].sid
    assert counterpart.phone("+12025550199") == []


@pytest.mark.rule(65)
def test_callbacks_are_signed_and_carry_the_statuses_in_the_order_asked(counterpart: SmsCounterpart) -> None:
    sid = send(counterpart).json()["sid"]
    counterpart.callback(sid, "delivered")
    replies = counterpart.callback(sid, "sent", times=2)
    assert [reply.status for reply in replies] == [200, 200]
    assert [fields["MessageStatus"] for _, fields, _ in received] == ["delivered", "sent", "sent"]
    assert all(url == STATUS and genuine for url, _, genuine in received)


def test_a_callback_may_tell_an_error(counterpart: SmsCounterpart) -> None:
    sid = send(counterpart, MessagingServiceSid="MG1").json()["sid"]
    counterpart.callback(sid, "undelivered", error_code=30006)
    _, fields, _ = received[0]
    assert (fields["ErrorCode"], fields["MessagingServiceSid"]) == ("30006", "MG1")
    shown = requests.get(
        api(counterpart).replace(".json", f"/{sid}.json"), auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=10
    ).json()
    assert (shown["status"], shown["error_code"]) == ("undelivered", 30006)


@pytest.mark.rule(65)
def test_a_forged_webhook_is_possible(counterpart: SmsCounterpart) -> None:
    assert counterpart.inbound(ADA, "STOP", INBOUND, token="not the token").status == 403


def test_a_fragment_steers_twilio_and_is_not_signed(counterpart: SmsCounterpart) -> None:
    sid = send(counterpart, StatusCallback=f"{STATUS}#rc=5&rp=all").json()["sid"]
    assert counterpart.callback(sid, "sent")[0].status == 200


@pytest.mark.rule(70)
def test_a_person_texts_and_gets_what_the_app_answers(counterpart: SmsCounterpart) -> None:
    reply = counterpart.inbound(ADA, "Hi", INBOUND, opt_out_type="HELP")
    assert reply.texts == ["Hello & welcome"]
    assert [text.body for text in counterpart.phone(ADA)] == ["Hello & welcome"]
    _, fields, genuine = received[0]
    assert genuine
    assert (fields["From"], fields["To"], fields["Body"], fields["OptOutType"]) == (ADA, NUMBER, "Hi", "HELP")


def test_an_answer_that_is_no_twiml_has_no_texts() -> None:
    assert Reply(status=200, headers={"Content-Type": "text/plain"}, body="<Message>x</Message>").texts == []


def test_a_retried_webhook_has_the_same_id(counterpart: SmsCounterpart) -> None:
    counterpart.inbound(ADA, "Hi", INBOUND, sid="SM1")
    counterpart.inbound(ADA, "Hi", INBOUND, sid="SM1")
    assert [fields["MessageSid"] for _, fields, _ in received] == ["SM1", "SM1"]


# It refuses.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "2025550123"}, 21211),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "https://my_shop.example/"}, 21609),
    ],
)
def test_what_twilio_would_refuse_is_refused(
    counterpart: SmsCounterpart, changes: dict[str, str], code: int
) -> None:
    answer = send(counterpart, **changes)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert counterpart.messages == []


def test_another_account_or_token_is_refused(counterpart: SmsCounterpart) -> None:
    answer = requests.post(api(counterpart), data={}, auth=(ACCOUNT_SID, "wrong"), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    other = api(counterpart).replace(ACCOUNT_SID, "AC" + "1" * 32)
    for method in ("GET", "POST"):
        answer = requests.request(method, other, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_scripted_answers_come_in_order_and_end(counterpart: SmsCounterpart) -> None:
    counterpart.answer_next(20429)
    counterpart.answer_next(Fault.UNAVAILABLE, times=2)
    assert [send(counterpart).status_code for _ in range(4)] == [429, 503, 503, 201]
    assert counterpart.calls == 4


def test_stop_blocks_a_number_until_start(counterpart: SmsCounterpart) -> None:
    counterpart.inbound(ADA, "Stop ", INBOUND)
    assert send(counterpart).json()["code"] == 21610
    counterpart.inbound(ADA, "START", INBOUND)
    assert send(counterpart).status_code == 201
    assert [fields["Body"] for _, fields, _ in received] == ["Stop ", "START"]
    bodies = [text.body for text in counterpart.phone(ADA)]
    assert [body.split(".")[0] for body in bodies] == [
        "You have been unsubscribed",
        "You have been resubscribed",
        "Hello & welcome",
        "Hello",
    ]


def test_an_account_may_leave_opt_outs_to_the_app() -> None:
    with SmsCounterpart(post=post_through(Client()), carrier_managed=False) as counterpart:
        counterpart.inbound(ADA, "STOP", INBOUND)
        assert [text.body for text in counterpart.phone(ADA)] == ["Hello & welcome"]
        assert send(counterpart).status_code == 201


def test_nothing_can_be_reported_of_a_message_that_was_not_taken(counterpart: SmsCounterpart) -> None:
    with pytest.raises(LookupError):
        counterpart.callback("SM1", "delivered")


# It survives.


@pytest.fixture
def store_by_http() -> Iterator[Callable[[], tuple[str, list[dict[str, str]]]]]:
    """A webhook behind a real port: its address, and the forms it got."""
    forms: list[dict[str, str]] = []
    got = threading.Semaphore(0)

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    def store(environ: dict[str, Any], start: Any) -> list[bytes]:
        forms.append(dict(parse_qsl(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())))
        start("200 OK", [("Content-Type", "text/xml")])
        got.release()
        return ["<Response><Message>déjà vu</Message></Response>".encode()]

    with make_server("127.0.0.1", 0, store, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", forms, got  # type: ignore[misc]
        server.shutdown()
        thread.join()


def test_webhooks_go_over_the_network(store_by_http: Any) -> None:
    url, forms, _ = store_by_http
    reply = post_by_http(url, {"Body": "naïve"}, {"X-Twilio-Signature": "x"})
    assert (reply.status, reply.texts) == (200, ["déjà vu"])
    assert forms == [{"Body": "naïve"}]


def test_messages_may_report_their_delivery_by_themselves(store_by_http: Any) -> None:
    url, forms, got = store_by_http
    with SmsCounterpart(deliver=True) as counterpart:
        send(counterpart, StatusCallback=url)
        assert got.acquire(timeout=30)
        assert got.acquire(timeout=30)
    assert [form["MessageStatus"] for form in forms] == ["sent", "delivered"]


def test_it_runs_as_a_process_of_its_own(store_by_http: Any) -> None:
    url, forms, _ = store_by_http
    module = "oscar_crosschannel.testing.sms_counterpart"
    with subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[3].rstrip(",")
        try:
            requests.post(
                f"{base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
                data={"To": ADA, "From": NUMBER, "Body": "Hello"},
                auth=(ACCOUNT_SID, AUTH_TOKEN),
                timeout=10,
            )
            [text] = requests.get(f"{base_url}/_phone", timeout=10).json()
            assert (text["to"], text["body"]) == (ADA, "Hello")
            said = {"from": ADA, "body": "Hi", "url": url}
            answer = requests.post(f"{base_url}/_inbound", data=said, timeout=10)
            assert json.loads(answer.text)["status"] == 200
            assert forms[0]["Body"] == "Hi"
            assert requests.post(f"{base_url}/_inbound", data={"from": ADA}, timeout=10).status_code == 400
        finally:
            process.terminate()


@pytest.mark.rule(86)
def test_stopping_does_not_wait_for_the_silent(counterpart: SmsCounterpart) -> None:
    counterpart.answer_next(Fault.SILENT)
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            api(counterpart),
            data={"To": ADA, "From": NUMBER, "Body": "x"},
            auth=(ACCOUNT_SID, AUTH_TOKEN),
            timeout=0.2,
        )
