"""A counterpart of Twilio on this machine: what phones would have received, and what they say back.

    with SmsCounterpart() as twilio:
        settings.CROSSCHANNEL_SMS_BACKEND = TWILIO_BACKEND
        settings.CROSSCHANNEL_TWILIO = twilio.settings()
        ...                                             # the app sends
        [text] = twilio.messages
        twilio.callback(text.sid, "delivered")          # signed, to the text's own callback address
        twilio.inbound("+12025550123", "STOP", url)     # signed, to the app's webhook
        twilio.answer_next(21610)                       # the next call is refused with that code
        twilio.answer_next(Fault.SILENT)                # or breaks in a way of its own

The server speaks HTTP on a loopback port, so the official SDK runs against it unchanged, time-outs
included. Callbacks go out when they are asked for: late, twice or out of order, as a test wants.
Outside tests it runs as a process of its own, with the phones' side as JSON:

    python -m oscar_crosschannel.testing.sms_counterpart --port 8026 --deliver
    curl localhost:8026/_phone
    curl localhost:8026/_inbound -d from=+12025550123 -d body=STOP -d url=http://127.0.0.1:8000/...
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import sys
import threading
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, Self
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import requests
from twilio.request_validator import RequestValidator

from ..core.sms import segments

TWILIO_BACKEND = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "counterpart-auth-token"  # noqa: S105 - opens nothing
API_KEY, API_SECRET = "SK" + "0" * 32, "counterpart-api-secret"
NUMBER = "+12025550100"

#: HTTP status and words of the errors that are not simply 400.
_ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    21211: (400, "Invalid 'To' Phone Number"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21609: (400, "The 'StatusCallback' URL is not a valid URL"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}
#: Whole replies that Twilio acts upon by itself.
_STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_START_WORDS = frozenset({"START", "YES", "UNSTOP"})


#: What opens the API: the account's token, or an API key.
_CREDENTIALS = frozenset(
    "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
    for user, secret in ((ACCOUNT_SID, AUTH_TOKEN), (API_KEY, API_SECRET))
)


class Fault(Enum):
    """Ways in which a call can go wrong without an error of Twilio's API."""

    UNAVAILABLE = "503 with a page of HTML"
    SILENT = "takes the request and never answers"
    DROPPED = "hangs up before it takes the message"
    UNREADABLE = "takes the message, and answers 201 with something else than JSON"
    EMPTY = "takes the message, and answers 201 with nothing"
    HALF = "takes the message, and hangs up in the middle of the answer"
    TAKEN_AND_DROPPED = "takes the message, and hangs up"
    TAKEN_AND_SILENT = "takes the message, and never answers"
    PROBLEM = "400 in the form of RFC 9457"


_TAKES_THE_MESSAGE = frozenset(
    {Fault.UNREADABLE, Fault.EMPTY, Fault.HALF, Fault.TAKEN_AND_DROPPED, Fault.TAKEN_AND_SILENT}
)


@dataclass(slots=True, kw_only=True)
class Text:
    """One text message on its way to, or on, a phone."""

    sid: str
    to: str
    from_: str
    body: str
    at: datetime
    status: str = "queued"
    error_code: int | None = None
    status_callback: str = ""
    validity_period: int | None = None  #: seconds
    service: str = ""  #: the messaging service that sent it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How the app answered a webhook."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def texts(self) -> list[str]:
        """The messages that the answer asks Twilio to send back; an answer in another form has none."""
        if "xml" not in self.headers.get("Content-Type", ""):
            return []
        root = ET.fromstring(self.body)  # noqa: S314 - the app's own answer
        return ["".join(message.itertext()).strip() for message in root.iter("Message")]


#: Delivers a signed webhook: (address, form fields, headers) -> the answer.
Post = Callable[[str, Mapping[str, str], Mapping[str, str]], Reply]


def post_by_http(url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
    """Deliver a webhook over the network, as Twilio does: form-encoded, no redirect followed."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=fields, headers=headers, timeout=15, allow_redirects=False)
    # XML says itself how it is encoded; `answer.text` would take it for Latin-1
    return Reply(status=answer.status_code, headers=dict(answer.headers), body=answer.content.decode())


class _TestClient(Protocol):
    """What `post_through` needs of `django.test.Client`."""

    def post(self, path: str, data: Any = ..., content_type: str = ..., **extra: Any) -> Any: ...


def post_through(client: _TestClient) -> Post:
    """Deliver webhooks through a `django.test.Client`: no server, and inside the test's transaction."""

    def post(url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        parts = urlsplit(url)
        answer = client.post(
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            urlencode(fields),
            content_type="application/x-www-form-urlencoded",
            secure=parts.scheme == "https",
            headers={"Host": parts.netloc, **headers},
        )
        return Reply(status=answer.status_code, headers=dict(answer.headers), body=answer.content.decode())

    return post


class SmsCounterpart:
    """Twilio's side and the phones' side of text messages. A context manager; see the module.

    `carrier_managed`: STOP blocks the number and is answered by Twilio, START lifts the block, and
    the app hears of both; Twilio's default. `deliver`: accepted messages report "sent" and
    "delivered" by themselves. `port` 0 takes a free one.
    """

    def __init__(
        self, *, port: int = 0, post: Post = post_by_http, carrier_managed: bool = True, deliver: bool = False
    ) -> None:
        self.post = post
        self.carrier_managed = carrier_managed
        self.deliver = deliver
        #: What was accepted, oldest first; answers to inbound messages included.
        self.messages: list[Text] = []
        #: How many times the app asked to send, whatever became of it.
        self.calls = 0
        #: Numbers that texted STOP to us.
        self.blocked: set[str] = set()
        self._next: deque[int | Fault] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """Where the API is, e.g. `http://127.0.0.1:40321`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """A value for `CROSSCHANNEL_TWILIO` that leads here."""
        config = {"ACCOUNT_SID": ACCOUNT_SID, "AUTH_TOKEN": AUTH_TOKEN, "FROM": NUMBER}
        return {**config, "BASE_URL": self.base_url, "TIMEOUT": 5, **changes}

    def answer_next(self, kind: int | Fault, *, times: int = 1) -> None:
        """Answer the next `times` calls with an error code of Twilio's, or break in the way of `kind`."""
        self._next.extend([kind] * times)

    def phone(self, number: str) -> list[Text]:
        """What the phone with `number` received, oldest first."""
        return [text for text in self.messages if text.to == number]

    def callback(
        self, sid: str, status: str, *, error_code: int | None = None, times: int = 1, token: str = AUTH_TOKEN
    ) -> list[Reply]:
        """Report `status` to the message's callback address, `times` times; the answers.

        The statuses may come in any order: Twilio promises none. `token` signs; a wrong one is a forgery.
        """
        text = self.find(sid)
        if text is None or not text.status_callback:
            raise LookupError(f"No message {sid} with a callback address was accepted.")
        text.status, text.error_code = status, error_code
        fields = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": "2010-04-01",
            "From": text.from_,
            "MessageSid": sid,
            "MessageStatus": status,
            "SmsSid": sid,
            "SmsStatus": status,
            "To": text.to,
        }
        if error_code:
            fields["ErrorCode"] = str(error_code)
        if text.service:
            fields["MessagingServiceSid"] = text.service
        return [self.deliver_webhook(text.status_callback, fields, token=token) for _ in range(times)]

    def inbound(
        self,
        from_: str,
        body: str,
        url: str,
        *,
        to: str = NUMBER,
        opt_out_type: str = "",
        sid: str = "",
        token: str = AUTH_TOKEN,
    ) -> Reply:
        """Let the phone with number `from_` text `body`, and tell the app's webhook at `url`.

        What the app answers by TwiML lands on the phone. `opt_out_type` (STOP, START, HELP) is what
        Twilio adds with Advanced Opt-Out. Giving a `sid` again is a retry of the same webhook.
        """
        sid = sid or self._new_sid()
        fields = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": "2010-04-01",
            "Body": body,
            "From": from_,
            "MessageSid": sid,
            "NumMedia": "0",
            "NumSegments": str(segments(body).count),
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "To": to,
        }
        if opt_out_type:
            fields["OptOutType"] = opt_out_type
        self._manage_opt_out(from_, to, body)
        reply = self.deliver_webhook(url, fields, token=token)
        for text in reply.texts:
            if from_ not in self.blocked:
                self._accept(to=from_, from_=to, body=text)
        return reply

    def deliver_webhook(self, url: str, fields: Mapping[str, str], *, token: str = AUTH_TOKEN) -> Reply:
        """Send any webhook, signed as Twilio signs. A fragment (`#rc=5`) steers Twilio and is no part of it."""
        url = url.partition("#")[0]
        signature = RequestValidator(token).compute_signature(url, fields)
        return self.post(url, fields, {"X-Twilio-Signature": signature})

    # The API's side, called by the server's threads.

    def create(self, fields: Mapping[str, str]) -> tuple[int | Fault | None, Text | None]:
        """One POST of Messages.json: what goes wrong, if anything, and the message, if it was taken."""
        with self._lock:
            self.calls += 1
            kind = self._next.popleft() if self._next else self._objection(fields)
        if kind is not None and kind not in _TAKES_THE_MESSAGE:
            return kind, None
        service = fields.get("MessagingServiceSid", "")
        text = self._accept(
            to=fields["To"],
            from_=fields.get("From", NUMBER),
            body=fields["Body"],
            status="accepted" if service else "queued",
            status_callback=fields.get("StatusCallback", ""),
            validity_period=int(fields["ValidityPeriod"]) if "ValidityPeriod" in fields else None,
            service=service,
        )
        if self.deliver and text.status_callback:
            threading.Thread(target=self._report_delivery, args=(text.sid,), daemon=True).start()
        return kind, text

    def wait_for_the_end(self) -> None:
        """Say nothing until the counterpart stops."""
        self._stopping.wait()

    def find(self, sid: str) -> Text | None:
        """The message with `sid`."""
        return next((text for text in self.messages if text.sid == sid), None)

    def _objection(self, fields: Mapping[str, str]) -> int | None:
        """The error code with which Twilio would refuse these fields."""
        to, body = fields.get("To", ""), fields.get("Body", "")
        if not to:
            return 21604
        if not (to.startswith("+") and to[1:].isdecimal() and 8 <= len(to) <= 16):
            return 21211
        if not (fields.get("From") or fields.get("MessagingServiceSid")):
            return 21603
        if not body:
            return 21602
        if len(body) > 1600:
            return 21617
        if not _is_callback(fields.get("StatusCallback", "")):
            return 21609
        return 21610 if to in self.blocked else None

    def _accept(self, **known: Any) -> Text:
        text = Text(sid=self._new_sid(), at=datetime.now(UTC), **known)
        self.messages.append(text)
        return text

    def _new_sid(self) -> str:
        return f"SM{uuid4().hex}"

    def _manage_opt_out(self, phone: str, ours: str, body: str) -> None:
        word = body.strip().upper()
        if not self.carrier_managed:
            return
        if word in _STOP_WORDS and phone not in self.blocked:
            self._accept(to=phone, from_=ours, body="You have been unsubscribed. Reply START to resubscribe.")
            self.blocked.add(phone)
        elif word in _START_WORDS and phone in self.blocked:
            self.blocked.remove(phone)
            self._accept(to=phone, from_=ours, body="You have been resubscribed. Reply STOP to unsubscribe.")

    def _report_delivery(self, sid: str) -> None:
        for status in ("sent", "delivered"):
            if self._stopping.wait(0.5):
                return
            try:
                self.callback(sid, status)
            except requests.RequestException as error:
                sys.stderr.write(f"No answer to the status callback: {type(error).__name__}\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], counterpart: SmsCounterpart) -> None:
        super().__init__(address, _Handler)
        self.counterpart = counterpart

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not wait for its answer is what some tests are about."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests carry phone numbers; the messages can be asked for."""

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path == "/_phone":
            self._answer(200, [_as_json(text) for text in self.server.counterpart.messages])
        elif self._is_authorised() and path.path == _messages_path():
            self._answer(200, self._page(_fields(path.query)))
        elif self._is_authorised() and path.path.startswith(_messages_path("/")):
            self._single(path.path.rpartition("/")[2].removesuffix(".json"))
        else:
            self._error(20404 if self._is_authorised() else 20003)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        fields = _fields(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if path == "/_inbound":
            self._inbound(fields)
        elif not self._is_authorised():
            self._error(20003)
        elif path != _messages_path():
            self._error(20404)
        else:
            self._create(fields)

    def _inbound(self, fields: Mapping[str, str]) -> None:
        """Text to the app, for a person or a script outside Python."""
        missing = {"from", "body", "url"} - fields.keys()
        if missing:
            self._answer(400, {"missing": sorted(missing)})
            return
        kind = fields.get("opt_out_type", "")
        try:
            reply = self.server.counterpart.inbound(
                fields["from"], fields["body"], fields["url"], opt_out_type=kind
            )
        except requests.RequestException as error:
            self._answer(502, {"error": type(error).__name__})
        else:
            self._answer(200, asdict(reply))

    def _create(self, fields: Mapping[str, str]) -> None:
        kind, text = self.server.counterpart.create(fields)
        if isinstance(kind, Fault):
            self._break(kind, text)
        elif kind is not None:
            self._error(kind)
        elif text is not None:
            self._answer(201, _resource(text))

    def _break(self, fault: Fault, text: Text | None) -> None:
        if fault in {Fault.SILENT, Fault.TAKEN_AND_SILENT}:
            self.server.counterpart.wait_for_the_end()
            self._hang_up()
        elif fault in {Fault.DROPPED, Fault.TAKEN_AND_DROPPED}:
            self._hang_up()
        elif fault is Fault.UNAVAILABLE:
            self._answer(503, "<html><body>Service Unavailable</body></html>", "text/html")
        elif fault is Fault.UNREADABLE:
            self._answer(201, "<html><body>Created</body></html>", "text/html")
        elif fault is Fault.EMPTY:
            self._answer(201, "")
        elif fault is Fault.PROBLEM:
            problem = {"type": "about:blank", "title": "Invalid parameter", "status": 400, "code": 21211}
            self._answer(400, problem, "application/problem+json")
        elif text is not None:
            self._answer(201, _resource(text), cut=True)
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _is_authorised(self) -> bool:
        return self.headers.get("Authorization") in _CREDENTIALS

    def _single(self, sid: str) -> None:
        text = self.server.counterpart.find(sid)
        if text is None:
            self._error(20404)
        else:
            self._answer(200, _resource(text))

    def _page(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """A page of messages, newest first, in the form of the 2010 API."""
        size, page = int(fields.get("PageSize", 50)), int(fields.get("Page", 0))
        wanted = [text for text in reversed(self.server.counterpart.messages) if _is_asked_for(text, fields)]
        more = len(wanted) > (page + 1) * size
        following = {**fields, "PageSize": size, "Page": page + 1}
        return {
            "messages": [_resource(text) for text in wanted[page * size : (page + 1) * size]],
            "page": page,
            "page_size": size,
            "next_page_uri": f"{_messages_path()}?{urlencode(following)}" if more else None,
        }

    def _error(self, code: int) -> None:
        status, words = _ERRORS.get(code, (400, "The request was refused"))
        info = f"https://www.twilio.com/docs/errors/{code}"
        self._answer(status, {"code": code, "message": words, "more_info": info, "status": status})

    def _answer(
        self, status: int, body: object, content_type: str = "application/json", *, cut: bool = False
    ) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.wfile.flush()


def _messages_path(suffix: str = ".json") -> str:
    return f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages{suffix}"


def _fields(encoded: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(encoded, keep_blank_values=True).items()}


def _is_callback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return not url or (url.startswith(("http://", "https://")) and bool(host) and "_" not in host)


def _is_asked_for(text: Text, fields: Mapping[str, str]) -> bool:
    return text.to == fields.get("To", text.to) and text.from_ == fields.get("From", text.from_)


def _resource(text: Text) -> dict[str, Any]:
    """A message as the API shows it. A messaging service has not chosen a sender at first."""
    undecided = text.status == "accepted"
    created = format_datetime(text.at)
    return {
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": text.body,
        "date_created": created,
        "date_sent": created if text.status in {"sent", "delivered", "undelivered"} else None,
        "date_updated": created,
        "direction": "outbound-api",
        "error_code": text.error_code,
        "error_message": None,
        "from": None if undecided else text.from_,
        "messaging_service_sid": text.service or None,
        "num_media": "0",
        "num_segments": "0" if undecided else str(segments(text.body).count),
        "price": None,
        "price_unit": "USD",
        "sid": text.sid,
        "status": text.status,
        "subresource_uris": {},
        "to": text.to,
        "uri": f"{_messages_path('/')}{text.sid}.json",
    }


def _as_json(text: Text) -> dict[str, Any]:
    return {**asdict(text), "at": text.at.isoformat()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description="A counterpart of Twilio on this machine.")
    parser.add_argument("--port", type=int, default=8026)
    parser.add_argument("--deliver", action="store_true", help="report accepted messages as delivered")
    options = parser.parse_args(arguments)
    with SmsCounterpart(port=options.port, deliver=options.deliver) as counterpart:
        sys.stdout.write(f"Twilio's counterpart at {counterpart.base_url}, the phones at /_phone\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
