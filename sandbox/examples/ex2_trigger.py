"""A trigger: tell the flows that a customer wrote a review."""

from typing import Any

from django.dispatch import receiver
from oscar.apps.catalogue.reviews.signals import review_added

from oscar_crosschannel import Event, api


@receiver(review_added, dispatch_uid="examples.review")
def review_written(review: Any, user: Any, **kwargs: Any) -> None:
    api.publish(
        Event(
            name="review.written", key=f"review:{review.pk}", occurred_at=review.date_created, user_id=user.pk
        )
    )
