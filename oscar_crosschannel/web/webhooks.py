"""What the SMS provider tells us: texts from customers, and what became of ours.

A view checks the signature and stores; an opt-out takes effect in the same transaction. If the
database fails, so does the answer, and the provider calls again.
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from ..conf import settings
from ..core.events import Event
from ..services import inbox, replies

logger = logging.getLogger(__name__)


@csrf_exempt  # signed by the provider
@login_not_required
@require_POST
def twilio_inbound(request: HttpRequest) -> HttpResponse:
    """A customer's text. Always answered in TwiML: other content types reach the customer as a text."""
    if not _is_signed(request):
        return HttpResponse(status=403)
    sid, phone = request.POST.get("MessageSid", ""), request.POST.get("From", "")
    if not sid or not phone:
        return HttpResponse(status=400)
    reply = replies.take_inbound(
        sid=sid,
        phone=phone,
        to=request.POST.get("To", ""),
        body=request.POST.get("Body", ""),
        opt_out_type=request.POST.get("OptOutType", ""),
        now=timezone.now(),
    )
    answer = MessagingResponse()
    if reply:
        answer.message(reply)
    return HttpResponse(str(answer), content_type="text/xml")


@csrf_exempt  # signed by the provider
@login_not_required
@require_POST
def twilio_status(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A report on the attempt `uuid`. Stored once, whatever it says; the next tick draws the conclusions."""
    if not _is_signed(request):
        return HttpResponse(status=403)
    sid, status = request.POST.get("MessageSid", ""), request.POST.get("MessageStatus", "")
    if not sid or not status:
        return HttpResponse(status=400)
    now = timezone.now()
    event = Event(
        name="sms.status",
        key=f"{sid}:{status}"[:160],
        occurred_at=now,
        data={"uuid": str(uuid), "sid": sid, "status": status, "code": request.POST.get("ErrorCode", "")},
    )
    inbox.record(event, now=now)
    return HttpResponse(status=204)


def _is_signed(request: HttpRequest) -> bool:
    """Whether the provider signed this for our public address, with either token.

    The address comes from the settings: behind a proxy the request knows another one. The algorithm
    is HMAC-SHA1 whatever a header asks for.
    """
    signature = request.headers.get("X-Twilio-Signature", "")
    url = settings.BASE_URL + request.get_full_path()
    secrets = [settings.TWILIO.get(name) for name in ("AUTH_TOKEN", "SECONDARY_AUTH_TOKEN")]
    if signature and any(
        RequestValidator(secret).validate(url, request.POST, signature) for secret in secrets if secret
    ):
        return True
    logger.warning("Refused a webhook that the SMS provider did not sign.")
    return False
