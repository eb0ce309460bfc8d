"""What merchants change about flows. NULL inherits from the blueprint."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Flow(models.Model):
    """A flow the project knows, and the merchant's changes to it; or one that the merchant made.

    A flow of the merchant's own has no blueprint to inherit from: it begins with a registered trigger.
    """

    key = models.SlugField(_("key"), unique=True)
    enabled = models.BooleanField(_("on"), null=True, blank=True)
    #: decides and records, but sends nothing
    shadow = models.BooleanField(_("shadow mode"), null=True, blank=True)
    #: share of contacts that get nothing, 0 … 1
    holdout = models.FloatField(_("holdout"), null=True, blank=True)
    #: rises with every change; messages record the version that wrote them
    version = models.PositiveIntegerField(_("version"), default=1)

    # What follows is of the merchant's own flows only; a blueprint says it for its flow.
    #: the event that starts it; empty: a blueprint does
    trigger = models.CharField(_("starts when"), max_length=64, blank=True)
    title = models.CharField(_("title"), max_length=100, blank=True)
    topic = models.CharField(_("topic"), max_length=50, blank=True)
    #: events that end it, with spaces between them
    stops = models.TextField(_("ends when"), blank=True)
    once = models.BooleanField(_("once per person, ever"), default=False)
    again_after = models.DurationField(_("rest before the next run"), null=True, blank=True)
    priority = models.SmallIntegerField(_("priority"), default=50)

    class Meta:
        verbose_name = _("flow")
        verbose_name_plural = _("flows")

    def __str__(self) -> str:
        return self.key


class FlowStep(models.Model):
    """Changes to one step, or a step of the merchant's own. A removed one leaves this row as a tombstone:
    keys are never reused.
    """

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="steps")
    key = models.SlugField(_("step"))
    title = models.CharField(_("title"), max_length=100, null=True, blank=True)
    delay = models.DurationField(_("delay from the anchor"), null=True, blank=True)
    expires = models.DurationField(_("not sent later than, from the anchor"), null=True, blank=True)
    #: channel keys in order of preference
    channels = models.JSONField(_("channels"), null=True, blank=True)
    patience = models.DurationField(_("patience for a better channel"), null=True, blank=True)
    #: names of conditions; '' takes the declared one away
    only_if = models.CharField(_("only if"), max_length=50, null=True, blank=True)
    unless = models.CharField(_("not if"), max_length=50, null=True, blank=True)
    voucher = models.BooleanField(_("carries a code"), null=True, blank=True)
    voucher_valid = models.DurationField(_("the code is good for"), null=True, blank=True)
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


class FlowVersion(models.Model):
    """How a flow and its words stood after a change: what is shown, compared and gone back to."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(_("version"))
    made_at = models.DateTimeField(_("made"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    #: the rows of the flow, its steps and its words, as `services.flow_versions` writes them
    state = models.JSONField(_("state"))

    class Meta:
        verbose_name = _("version of a flow")
        verbose_name_plural = _("versions of flows")
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="cc_flow_version_unique")]

    def __str__(self) -> str:
        return f"{self.flow_id} v{self.number}"


class BrokenWords(models.Model):
    """Words that did not make a message: staff are told once, until the words are others."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="+", db_index=False)
    step_key = models.SlugField(_("step"))
    channel = models.CharField(_("channel"), max_length=16)
    #: that the words are written in, or, where there are none, that they should be
    language = models.CharField(_("language"), max_length=12)
    #: of the merchant's words; empty: there are none, and the file is broken or missing
    digest = models.CharField(max_length=64, blank=True)
    since = models.DateTimeField(_("since"))
    #: there is nothing to say instead: messages wait
    is_silent = models.BooleanField(_("messages wait"), default=False)

    class Meta:
        verbose_name = _("words that are broken")
        verbose_name_plural = _("words that are broken")
        constraints = [
            models.UniqueConstraint(
                fields=["flow", "step_key", "channel", "language"], name="cc_broken_words_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.step_key}/{self.channel}/{self.language}"
