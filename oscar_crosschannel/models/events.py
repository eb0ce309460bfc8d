"""Products that take place at some time: webinars, tastings, workshops."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class ScheduledEvent(models.Model):
    """When and where a product takes place; who bought the product, or a variant of it, has booked.

    It is saved by `services.schedules`, which tells those who booked what has changed.
    """

    #: What those who booked must hear of at once, on every channel.
    URGENT = ("starts_at", "ends_at", "place")
    #: What they hear of at all. Of another link an email tells: what they have leads on by a link of the shop, which
    #: stays right. The agenda is not among it.
    TOLD = (*URGENT, "join_link")

    product: Any = models.OneToOneField(
        "catalogue.Product", on_delete=models.CASCADE, related_name="+", verbose_name=_("product")
    )
    #: of its entry in people's calendars; never changes
    uid = models.UUIDField(default=uuid4, unique=True, editable=False)
    starts_at = models.DateTimeField(_("begins"), db_index=True)
    ends_at = models.DateTimeField(_("ends"))
    #: whose clock a place goes by, and people of whom nobody knows where they are
    zone = models.CharField(_("time zone"), max_length=64)
    place = models.CharField(_("place"), max_length=200, blank=True)
    join_link = models.CharField(
        _("link to join"), max_length=500, blank=True, validators=[URLValidator(["https", "http"])]
    )
    agenda = models.TextField(_("agenda"), blank=True)
    #: rises when what is `TOLD` changes, and when it is cancelled
    sequence = models.PositiveIntegerField(default=0, editable=False)
    #: when `sequence` got its value
    changed_at = models.DateTimeField(editable=False)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        permissions = [
            ("cancel_scheduledevent", _("Can cancel events")),
            ("invite_scheduledevent", _("Can invite people to events")),
        ]

    def __str__(self) -> str:
        return str(self.product)

    def clean(self) -> None:
        """Refuses an event that nobody could attend."""
        wrong: dict[str, Any] = {}
        if self.zone not in available_timezones():
            wrong["zone"] = _("Nobody knows this time zone. Write it like Europe/London.")
        if None not in (self.starts_at, self.ends_at) and self.ends_at <= self.starts_at:
            wrong["ends_at"] = _("It must end after it begins.")
        if not self.place and not self.join_link:
            wrong["place"] = _("Say where it is: a place, a link to join, or both.")
        if wrong:
            raise ValidationError(wrong)

    def is_over(self, now: datetime) -> bool:
        return self.ends_at <= now

    def is_on(self, now: datetime) -> bool:
        """Whether it is still to be, or under way."""
        return self.cancelled_at is None and not self.is_over(now)

    @property
    def clock(self) -> ZoneInfo:
        """Of the place where it is held."""
        return ZoneInfo(self.zone)
