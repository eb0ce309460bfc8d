"""The sending ledger: what we owe people, each provider call, and what providers reported."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..core.facts import Purpose
from ..core.lifecycle import State, Status
from .contacts import Contact, ContactPoint
from .enrolments import Enrolment
from .flows import Flow


class Lane(models.IntegerChoices):
    """Which queue a message stands in; a lower number goes first."""

    URGENT = 0, _("urgent")
    FLOW = 1, _("flows")
    CAMPAIGN = 2, _("campaigns")


class Message(models.Model):
    """One thing we owe one contact. Unique by (contact, intent, leg): the database forbids saying it twice."""

    # Every change of state writes each full index of this table anew, so there are few: one that is
    # unique begins with the contact, and nothing looks for all messages of a flow.
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="messages", db_index=False)
    enrolment = models.ForeignKey(
        Enrolment, on_delete=models.CASCADE, null=True, blank=True, related_name="messages"
    )
    # Nor does the database look through all messages before a flow goes: their runs hold it, and what
    # was sent to erased people, without its run, `services.own_flows` asks for by an index below.
    flow = models.ForeignKey(
        Flow, on_delete=models.DO_NOTHING, related_name="messages", db_index=False, db_constraint=False
    )
    flow_version = models.PositiveIntegerField(default=1)
    step_key = models.CharField(_("step"), max_length=50)
    topic = models.CharField(_("topic"), max_length=50)
    purpose = models.CharField(_("purpose"), max_length=16, choices=[(p.value, p.value) for p in Purpose])
    #: what must not be said twice
    intent = models.CharField(_("intent"), max_length=240)
    #: the channel, for purpose critical; else empty
    leg = models.CharField(max_length=16, blank=True)
    lane = models.SmallIntegerField(choices=Lane.choices, default=Lane.FLOW)
    #: order among one contact's messages; lower first
    priority = models.SmallIntegerField(default=50)
    voucher = models.BooleanField(_("carries a code"), default=False)

    state = models.SmallIntegerField(
        _("state"), choices=[(s.value, s.name.lower()) for s in State], default=State.PLANNED
    )
    due_at = models.DateTimeField(_("due"))
    expires_at = models.DateTimeField(_("expires"))
    reason = models.CharField(_("reason"), max_length=32, blank=True)
    #: the trace of the last decision, as `core.decision` stores it
    decision = models.JSONField(_("decision"), null=True, blank=True)

    channel = models.CharField(_("channel"), max_length=16, blank=True)
    point = models.ForeignKey(
        ContactPoint, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    address_digest = models.CharField(max_length=64, blank=True)
    #: channels whose provider refused for good
    excluded = models.JSONField(default=list, blank=True)
    #: of the claim; a result is only taken from who holds it
    token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    #: set with the claim, cleared when it was certainly not sent: counts towards caps
    attempted_at = models.DateTimeField(_("attempted"), null=True, blank=True)
    #: provider calls so far, and the first of them
    calls = models.PositiveSmallIntegerField(_("calls"), default=0)
    first_call_at = models.DateTimeField(null=True, blank=True)
    #: how often a worker died with it before it was handed over
    returns = models.PositiveSmallIntegerField(_("returns"), default=0)
    #: paths of the links in the words, by link number
    links = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(_("created"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.UniqueConstraint(fields=["contact", "intent", "leg"], name="cc_message_unique"),
            models.UniqueConstraint(
                fields=["enrolment", "leg"], condition=Q(state__in=[0, 1, 2]), name="cc_message_one_open"
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "due_at", "id"], condition=Q(state=0), name="cc_message_due"),
            models.Index(fields=["lease_until"], condition=Q(state__in=[1, 2]), name="cc_message_leased"),
            models.Index(
                fields=["contact", "attempted_at"],
                condition=Q(attempted_at__isnull=False),
                name="cc_message_attempted",
            ),
            models.Index(
                fields=["address_digest", "attempted_at"],
                condition=Q(attempted_at__isnull=False),
                name="cc_message_address",
            ),
            models.Index(fields=["attempted_at"], condition=Q(state=11), name="cc_message_unknown"),
            # what was sent to people who were erased: the run is gone, and the flow must not go
            models.Index(fields=["flow"], condition=Q(enrolment=None), name="cc_message_without_run"),
            # traces that will be too old one day; a message enters when it is resolved
            models.Index(
                fields=["resolved_at"],
                condition=Q(resolved_at__isnull=False, decision__isnull=False),
                name="cc_message_traced",
            ),
        ]
        permissions = [("cancel_message", _("Can call off messages"))]

    def __str__(self) -> str:
        return self.intent


class Attempt(models.Model):
    """One provider call. Committed before the call; callbacks carry its uuid."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    uuid = models.UUIDField(unique=True)
    channel = models.CharField(_("channel"), max_length=16)
    #: where it went; its message may have gone another way since
    address_digest = models.CharField(max_length=64, blank=True)
    number = models.PositiveSmallIntegerField(_("number"))
    provider = models.CharField(_("provider"), max_length=64, blank=True)
    provider_id = models.CharField(_("provider's id"), max_length=255, blank=True)
    status = models.SmallIntegerField(
        _("status"), choices=[(s.value, s.name.lower()) for s in Status], default=Status.INTENDED
    )
    code = models.CharField(_("code"), max_length=32, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    segments = models.PositiveSmallIntegerField(_("segments"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"))
    status_at = models.DateTimeField(_("status since"))
    looked_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = [
            # reconciliation looks for calls without an end
            models.Index(
                fields=["status_at"], condition=Q(status__in=[0, 10, 20, 30]), name="cc_attempt_open"
            ),
            # not `db_index`, which on PostgreSQL makes a second one, for LIKE
            models.Index(fields=["provider_id"], name="cc_attempt_provider_id"),
            # how often an address failed
            models.Index(fields=["address_digest"], name="cc_attempt_address"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.number}"


class DeliveryEvent(models.Model):
    """What a provider reported, once per report."""

    #: None: nothing of ours matched it
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, null=True, related_name="events")
    provider = models.CharField(_("provider"), max_length=64)
    #: makes a doubled report change nothing
    key = models.CharField(max_length=160)
    kind = models.CharField(_("report"), max_length=32)
    code = models.CharField(_("code"), max_length=32, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    #: the measure of `Guard` that it counts for; None, as for nearly all: for none
    counts_for = models.CharField(max_length=16, null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("delivery event")
        verbose_name_plural = _("delivery events")
        constraints = [models.UniqueConstraint(fields=["key"], name="cc_delivery_event_unique")]
        indexes = [
            models.Index(
                fields=["counts_for", "at"],
                condition=Q(counts_for__isnull=False),
                name="cc_delivery_event_guard",
            )
        ]

    def __str__(self) -> str:
        return self.kind


class ChannelRest(models.Model):
    """A channel whose provider is broken: nothing is sent until `until`, then one message probes it."""

    channel = models.CharField(_("channel"), max_length=16, primary_key=True)
    until = models.DateTimeField(_("rests until"))
    since = models.DateTimeField(_("broken since"))
    code = models.CharField(_("code"), max_length=32, blank=True)
    detail = models.TextField(_("detail"), blank=True)

    class Meta:
        verbose_name = _("resting channel")
        verbose_name_plural = _("resting channels")

    def __str__(self) -> str:
        return self.channel
