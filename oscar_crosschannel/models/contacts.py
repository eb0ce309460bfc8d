"""People we may reach, their addresses, and the addresses that get nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Right, Upper
from django.utils.translation import gettext_lazy as _, pgettext_lazy

#: A phone number is found by so many digits at its end.
LAST_DIGITS = 7


class ChannelKey(models.TextChoices):
    # bare, it is the label of a field in Django's own catalogues
    EMAIL = "email", pgettext_lazy("a channel", "Email")
    SMS = "sms", _("SMS")


class Contact(models.Model):
    """A person we may reach; with or without an account."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="crosschannel_contact",
        verbose_name=_("account"),
    )
    #: keyed digest of the email that stands for a person without an account. Unique, so that two
    #: events at once make one contact; None once the person has an account.
    guest_key = models.CharField(max_length=64, null=True, editable=False)
    name = models.CharField(_("first name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    #: whether the person said so, rather than the pages they read
    language_chosen = models.BooleanField(_("chose the language"), default=False)
    #: IANA name chosen by the person; empty: derived from phone and address
    zone = models.CharField(_("time zone"), max_length=64, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    region = models.CharField(_("state or region"), max_length=64, blank=True)
    #: the channel the person prefers; empty: no preference
    primary_channel = models.CharField(_("primary channel"), max_length=16, blank=True)
    #: no marketing before
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    #: half as much marketing as the caps allow
    fewer = models.BooleanField(_("fewer messages"), default=False)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("merged into"),
    )
    created_at = models.DateTimeField(_("known since"))

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        # not `unique=True`, which on PostgreSQL makes a second index, for LIKE
        constraints = [models.UniqueConstraint(fields=["guest_key"], name="cc_contact_guest_key")]
        # staff type a first name
        indexes = [models.Index(Upper("name"), name="cc_contact_name")]
        permissions = [
            ("suppress_contact", _("Can put addresses on the suppression list")),
            ("optout_contact", _("Can record that a person does not want to be written to")),
        ]

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"


class ContactPoint(models.Model):
    """One contact's normalised address on one channel."""

    # the unique index begins with it
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="points", db_index=False)
    channel = models.CharField(_("channel"), max_length=16)
    #: E.164 for SMS; lower case for email. Staff type its beginning.
    address = models.CharField(_("address"), max_length=254, db_index=True)
    #: keyed digest of (channel, address): suppressions and legal caps count by it
    digest = models.CharField(max_length=64)
    #: the address the channel uses; at most one per contact and channel
    current = models.BooleanField(_("in use"), default=True)
    #: zones a phone number may be in, as IANA names
    zones = models.JSONField(default=list, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=32, blank=True)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("contact point")
        verbose_name_plural = _("contact points")
        constraints = [
            models.UniqueConstraint(fields=["contact", "channel", "address"], name="cc_point_unique"),
            models.UniqueConstraint(
                fields=["contact", "channel"], condition=models.Q(current=True), name="cc_point_one_current"
            ),
        ]
        indexes = [
            models.Index(fields=["digest"], name="cc_point_digest"),
            # whether the shop knows numbers of a country is asked whenever words for texts are checked
            models.Index(
                fields=["country"],
                condition=models.Q(channel="sms", current=True),
                name="cc_point_number_country",
            ),
            # staff type a number without its country
            models.Index(
                Right("address", LAST_DIGITS), condition=models.Q(channel="sms"), name="cc_point_last_digits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} #{self.pk}"


class Suppression(models.Model):
    """An address that gets nothing on a channel. Known by digest only, so that it survives erasure."""

    class Cause(models.TextChoices):
        REVOKED = "revoked", _("the person said stop")
        HARD_BOUNCE = "hard_bounce", _("the mailbox does not exist")
        COMPLAINT = "complaint", _("reported as spam")
        INVALID = "invalid", _("the address cannot be served")
        CARRIER_BLOCK = "carrier_block", _("blocked at the provider")
        MANUAL = "manual", _("suppressed by staff")
        LEGAL = "legal", _("suppressed for legal reasons")
        ERASED = "erased", _("the person's data were erased")
        REVIEW = "review", _("what they wrote may mean stop; staff should read it")

    class Scope(models.TextChoices):
        EVERYTHING = "everything", _("everything")
        MARKETING = "marketing", _("marketing only")

    channel = models.CharField(_("channel"), max_length=16)
    digest = models.CharField(max_length=64)
    cause = models.CharField(_("cause"), max_length=16, choices=Cause.choices)
    scope = models.CharField(_("blocks"), max_length=16, choices=Scope.choices, default=Scope.EVERYTHING)
    note = models.TextField(_("note"), blank=True)
    #: the reply that has yet to be read by staff, for the cause `review`
    reply = models.ForeignKey(
        "oscar_crosschannel.InboxEvent",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reply"),
    )
    since = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        # the digest first: the engine asks for those of many addresses, whatever their channel
        constraints = [models.UniqueConstraint(fields=["digest", "channel"], name="cc_suppression_unique")]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(models.Q(cause="review") | models.Q(reply__isnull=False), lifted_at=None),
                name="cc_suppression_unread",
            )
        ]
        permissions = [("lift_suppression", _("Can lift suppressions"))]

    def __str__(self) -> str:
        return f"{self.channel} {self.digest[:8]}"


class UnreadReplies(models.Manager["UnreadReply"]):
    """Only those that wait for somebody to read them."""

    def get_queryset(self) -> models.QuerySet[UnreadReply]:
        waiting = models.Q(cause=Suppression.Cause.REVIEW) | models.Q(reply__isnull=False)
        return super().get_queryset().filter(waiting, lifted_at=None)


class UnreadReply(Suppression):
    """A suppression that waits for staff to read what the person wrote."""

    objects: ClassVar[models.Manager[Any]] = UnreadReplies()

    class Meta:
        proxy = True
        verbose_name = _("reply to read")
        verbose_name_plural = _("replies to read")
        permissions = [("read_reply", _("Can decide what a reply meant"))]


class Belonging(models.Model):
    """Whom a row of the shop belongs to, learnt from an event: a guest's basket, for one."""

    kind = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="belongings")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "object_id"], name="cc_belonging_unique")]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
