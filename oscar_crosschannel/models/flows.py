"""What merchants change about flows. NULL inherits from the blueprint."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Flow(models.Model):
    """A flow the project knows, and the merchant's changes to it."""

    key = models.SlugField(_("key"), unique=True)
    enabled = models.BooleanField(_("on"), null=True, blank=True)
    #: share of contacts that get nothing, 0 … 1
    holdout = models.FloatField(_("holdout"), null=True, blank=True)
    #: rises with every change; messages record the version that wrote them
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("flow")
        verbose_name_plural = _("flows")

    def __str__(self) -> str:
        return self.key


class FlowStep(models.Model):
    """Changes to one step. Keys are never reused: a removed step leaves this row as a tombstone."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="steps")
    key = models.SlugField(_("step"))
    delay = models.DurationField(_("delay from the anchor"), null=True, blank=True)
    #: channel keys in order of preference
    channels = models.JSONField(_("channels"), null=True, blank=True)
    patience = models.DurationField(_("patience for a better channel"), null=True, blank=True)
    #: names of conditions; '' takes the declared one away
    only_if = models.CharField(_("only if"), max_length=50, null=True, blank=True)
    unless = models.CharField(_("not if"), max_length=50, null=True, blank=True)
    offer = models.ForeignKey(
        "offer.ConditionalOffer",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("offer behind the code"),
        limit_choices_to={"offer_type": "Voucher"},
    )
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    class Meta:
        verbose_name = _("flow step")
        verbose_name_plural = _("flow steps")
        constraints = [models.UniqueConstraint(fields=["flow", "key"], name="cc_step_unique")]

    def __str__(self) -> str:
        return f"{self.flow_id}:{self.key}"


class Copy(models.Model):
    """The merchant's words for one step, channel, language and variant.

    Oscar's own rule holds: NULL takes the file of the blueprint, '' is an empty part.
    """

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="copies")
    step_key = models.SlugField(_("step"))
    channel = models.CharField(_("channel"), max_length=16)
    language = models.CharField(_("language"), max_length=12)
    variant = models.CharField(_("variant"), max_length=32, blank=True)
    subject = models.TextField(_("subject"), null=True, blank=True)
    text = models.TextField(_("text"), null=True, blank=True)
    html = models.TextField(_("HTML"), null=True, blank=True)

    class Meta:
        verbose_name = _("words of a message")
        verbose_name_plural = _("words of messages")
        permissions = [("send_test", _("Can send test messages"))]
        constraints = [
            models.UniqueConstraint(
                fields=["flow", "step_key", "channel", "language", "variant"], name="cc_copy_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.step_key}/{self.channel}/{self.language}"
