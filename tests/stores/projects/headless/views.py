"""What the store's developers wrote: the consent boxes for the front end, and where a basket is shown."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt
from oscarapi.basket.operations import get_basket

from oscar_crosschannel import Event, api
from oscar_crosschannel.core.events import ConsentAnswer

CHANNELS = ("email", "sms")


@csrf_exempt
def consent(request: HttpRequest) -> JsonResponse:
    """GET: the words to show beside each box. POST: who somebody is, and what they ticked."""
    wordings = {channel: api.wording(channel, get_language()) for channel in CHANNELS}
    if request.method == "GET":
        return JsonResponse({channel: wording.words for channel, wording in wordings.items()})
    said = json.loads(request.body)
    user_id = request.user.pk if request.user.is_authenticated else None
    answers = tuple(
        ConsentAnswer(
            channel=channel,
            text=wording.digest,
            language=get_language(),
            given=channel in said["agrees_to"],
            form="front end",
            address=said["phone"] if channel == "sms" else said["email"],
            ip=request.META["REMOTE_ADDR"],
        )
        for channel, wording in wordings.items()
    )
    basket = get_basket(request)
    api.publish(
        Event(
            # the basket of an account is noticed by itself; a guest's is nobody's until now
            name="consent.answered" if user_id else "basket.active",
            key=f"front end:{basket.pk}",
            occurred_at=timezone.now(),
            user_id=user_id,
            email=said["email"],
            subjects={"basket": basket.pk},
            answers=answers,
        )
    )
    return JsonResponse({})


def cart(request: HttpRequest) -> HttpResponse:
    """Stands for the page of the front end that shows the basket, which it gets from the API."""
    return HttpResponse("Your basket")
