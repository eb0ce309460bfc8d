"""What a failed email call says about the message, for SMTP and for Anymail's providers.

Sources: RFC 5321 (reply codes), RFC 3463 (enhanced codes), and the exceptions of `smtplib`,
the SMTP backends of Django 5.2 and 6.0, and Anymail 15.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping
from typing import Any

from anymail.exceptions import (
    AnymailAPIError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.core.exceptions import ImproperlyConfigured

from ..core.outbound import ChannelError, Effect, NotSent, Refused, SenderBroken, UnknownOutcome
from . import http_outcomes

#: "No such mailbox" and its kin, for servers without enhanced codes.
_UNUSABLE_REPLIES = frozenset({550, 551, 553})
#: Bad mailbox, system, syntax, ambiguous, moved, null MX; mailbox disabled.
_UNUSABLE_ENHANCED = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1"})
_AUTHENTICATION_REPLIES = frozenset({530, 535, 538})
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")

#: Errors of Amazon SES, which all come as HTTP 400, by the name of the error.
_SES_BUSY = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "LimitExceededException"}
)
_SES_BROKEN = frozenset(
    {"AccountSuspendedException", "MailFromDomainNotVerifiedException", "SendingPausedException"}
    | {
        "AccessDeniedException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
#: Exceptions of botocore, by name: boto3 need not be installed.
_BOTO_NEVER_LEFT = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError"})
_BOTO_BROKEN = frozenset({"NoCredentialsError", "NoRegionError", "PartialCredentialsError"})


def of_opening(error: Exception) -> ChannelError:
    """A connection that could not be opened: nothing was sent, the question is whether to go on."""
    detail = f"No connection to the email server: {type(error).__name__}"
    if isinstance(error, smtplib.SMTPResponseException):
        busy = 400 <= error.smtp_code < 500
        return (NotSent if busy else SenderBroken)(f"{detail}, {_reply(error)}", code=str(error.smtp_code))
    if isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLCertVerificationError):
        return SenderBroken(detail)
    if isinstance(
        error, OSError
    ):  # refused, no such host, too slow, closed; smtplib's errors are OSErrors too
        return NotSent(detail)
    return SenderBroken(f"{detail}: {error}")


def of_sending(error: Exception) -> ChannelError:
    """A call that failed on an open connection. Whatever is not known for certain may have been sent."""
    if isinstance(error, smtplib.SMTPException):
        return _of_smtp(error)
    if isinstance(error, AnymailError):
        return _of_anymail(error)
    if isinstance(error, ImproperlyConfigured):
        return SenderBroken(str(error))
    return UnknownOutcome(f"The email backend failed: {type(error).__name__}")


def _of_smtp(error: smtplib.SMTPException) -> ChannelError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()))
        return _of_reply(code, _text(reply))
    if isinstance(error, smtplib.SMTPSenderRefused) and 500 <= error.smtp_code != 552:
        return SenderBroken(_reply(error), code=str(error.smtp_code))  # 552: this message is too large
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_reply(error.smtp_code, _reply(error))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Refused(str(error))
    return UnknownOutcome(f"The email server did not answer: {type(error).__name__}")


def _of_reply(code: int, reply: str) -> ChannelError:
    name = str(code)
    if not 500 <= code < 600:
        # 4xx: try again. smtplib reports a connection that broke inside a reply as -1.
        return NotSent(reply, code=name) if 400 <= code < 500 else UnknownOutcome(reply, code=name)
    if code in _AUTHENTICATION_REPLIES:
        return SenderBroken(reply, code=name)
    enhanced = _ENHANCED.search(reply)
    unusable = enhanced[0] in _UNUSABLE_ENHANCED if enhanced else code in _UNUSABLE_REPLIES
    # Anything else is about policy or content: the sender's reputation, not the address.
    return Refused(reply, code=name, effect=Effect.UNUSABLE if unusable else Effect.NONE, alert=not unusable)


def _of_anymail(error: AnymailError) -> ChannelError:
    if isinstance(error, AnymailAPIError):
        return _of_api(error)
    if isinstance(error, AnymailInvalidAddress | AnymailRecipientsRefused):
        return Refused("The provider refused the address.", effect=Effect.UNUSABLE)
    if isinstance(error, AnymailUnsupportedFeature | AnymailSerializationError):
        return Refused(_words(error), alert=True)
    return UnknownOutcome(_words(error))


def _of_api(error: AnymailAPIError) -> ChannelError:
    if isinstance(error.response, Mapping):
        return _of_ses(error, error.response)
    if error.status_code is None:
        return _of_broken_call(error, error.__cause__)
    status, code = error.status_code, str(error.status_code)
    detail = f"{error.esp_name or 'The provider'} answered {status}: {_body(error)}"
    if status == http_outcomes.TOO_MANY:
        wish = http_outcomes.seconds(error.response.headers.get("Retry-After"))
        return NotSent(detail, code=code, retry_after=wish)
    if status in http_outcomes.BROKEN_SENDER:
        return SenderBroken(detail, code=code)
    if 400 <= status < 500 and status != http_outcomes.REQUEST_TIMEOUT:
        return Refused(detail, code=code, alert=True)
    return UnknownOutcome(detail, code=code)  # 5xx, and a success that cannot be read


def _of_broken_call(error: AnymailAPIError, cause: BaseException | None) -> ChannelError:
    name = type(cause or error).__name__
    detail = f"No answer from the provider: {name}"
    if name in _BOTO_BROKEN:
        return SenderBroken(detail)
    # Anymail's own exception hides the reason: its cause must be asked.
    if http_outcomes.never_left(cause) or name in _BOTO_NEVER_LEFT:
        return NotSent(detail)
    return UnknownOutcome(detail)


def _of_ses(error: AnymailAPIError, response: Mapping[str, Any]) -> ChannelError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    detail = _words(error)
    if code in _SES_BUSY or status == http_outcomes.TOO_MANY:
        return NotSent(detail, code=code)
    if code in _SES_BROKEN or status in http_outcomes.BROKEN_SENDER:
        return SenderBroken(detail, code=code)
    if 400 <= status < 500:
        return Refused(detail, code=code, alert=True)
    return UnknownOutcome(detail, code=code)


def _reply(error: smtplib.SMTPResponseException) -> str:
    return _text(error.smtp_error)


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)


def _words(error: AnymailError) -> str:
    return " ".join(map(str, error.args)) or type(error).__name__


def _body(error: AnymailAPIError) -> str:
    return str(getattr(error.response, "text", ""))[:500]
