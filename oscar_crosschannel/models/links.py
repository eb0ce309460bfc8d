"""Clicks on the links of messages."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .messages import Message


class Click(models.Model):
    """One request for a message's link, and whether a person made it."""

    class Verdict(models.TextChoices):
        HUMAN = "human", _("a person")
        SUSPECT = "suspect", _("perhaps a scanner")
        BOT = "bot", _("a scanner")

    # the index below begins with it
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="clicks", db_index=False)
    link = models.PositiveSmallIntegerField(_("link"))
    at = models.DateTimeField(_("at"))
    verdict = models.CharField(_("made by"), max_length=8, choices=Verdict.choices)
    #: what made us suspicious, as codes
    suspicions = models.JSONField(default=list)

    class Meta:
        verbose_name = _("click")
        verbose_name_plural = _("clicks")
        indexes = [models.Index(fields=["message", "at"], name="cc_click_message")]

    def __str__(self) -> str:
        return f"{self.message_id}/{self.link}"
