"""What happened and was not worked off yet, and how far the sweeps have come."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class InboxEvent(models.Model):
    """An event as it was taken. The fold works it off and marks it; failures stay readable."""

    name = models.CharField(_("event"), max_length=64)
    #: with the name, makes taking it idempotent
    key = models.CharField(max_length=160)
    occurred_at = models.DateTimeField(_("happened"))
    not_before = models.DateTimeField(_("not before"))
    user_id = models.BigIntegerField(null=True)
    email = models.CharField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    subjects = models.JSONField(default=dict)
    data = models.JSONField(default=dict)
    answers = models.JSONField(default=list)
    processed_at = models.DateTimeField(_("worked off"), null=True, db_index=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = models.TextField(_("error"), blank=True)
    #: where only a part could not be done: which, and for whom; None: all of it, or nothing, is left
    left: Any = models.JSONField(null=True, editable=False)
    #: of an answer to the shop: whether staff have yet to read it; None: it is no answer
    unread = models.BooleanField(_("to be read"), null=True)

    class Meta:
        verbose_name = _("inbox event")
        verbose_name_plural = _("inbox events")
        permissions = [("repeat_inboxevent", _("Can try events again"))]
        constraints = [models.UniqueConstraint(fields=["name", "key"], name="cc_inbox_unique")]
        indexes = [
            models.Index(
                fields=["not_before", "id"], condition=models.Q(processed_at=None), name="cc_inbox_waiting"
            ),
            # what a person texted back; the page of a contact shows it
            models.Index(
                fields=["phone", "occurred_at"],
                condition=models.Q(name="sms.received"),
                name="cc_inbox_replies",
            ),
            models.Index(
                fields=["email", "occurred_at"],
                condition=models.Q(name="email.received"),
                name="cc_inbox_letters",
            ),
            models.Index(
                fields=["unread", "id"], condition=models.Q(unread__isnull=False), name="cc_inbox_answers"
            ),
            # read and unread ones together, the newest first: all, and those of one channel
            models.Index(fields=["id"], condition=models.Q(unread__isnull=False), name="cc_inbox_answered"),
            models.Index(
                fields=["name", "id"], condition=models.Q(unread__isnull=False), name="cc_inbox_answered_by"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key}"


class OrdinaryReplies(models.Manager["OrdinaryReply"]):
    """Only what staff should read, or have read."""

    def get_queryset(self) -> models.QuerySet[OrdinaryReply]:
        return super().get_queryset().filter(unread__isnull=False)


class OrdinaryReply(InboxEvent):
    """What somebody wrote back that has no consequence by itself: a question, thanks, a complaint."""

    objects: ClassVar[models.Manager[Any]] = OrdinaryReplies()

    class Meta:
        proxy = True
        verbose_name = _("other reply")
        verbose_name_plural = _("other replies")


class Watermark(models.Model):
    """An instant kept by name: up to which a search has looked, or when something was set up once."""

    name = models.SlugField(primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
