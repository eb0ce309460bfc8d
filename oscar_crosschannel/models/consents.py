"""What people agreed to: topics, immutable texts, an append-only ledger, and the current answers."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..core.facts import Answer, Purpose
from .contacts import Contact, ContactPoint


class AppendOnlyError(TypeError):
    """This row is evidence: it can be added, never changed or deleted."""


class MissingProof(ValueError):
    """A grant that could not be proven later is not stored as one."""


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Refuses what would change evidence."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(AppendOnlyError.__doc__)

    def delete(self) -> NoReturn:
        raise AppendOnlyError(AppendOnlyError.__doc__)

    def bulk_create(self, *args: Any, update_conflicts: bool = False, **kwargs: Any) -> list[Any]:
        if update_conflicts:
            raise AppendOnlyError(AppendOnlyError.__doc__)
        return super().bulk_create(*args, **kwargs)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(AppendOnlyError.__doc__)


class AppendOnly(models.Model):
    """A row that is written once."""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError(AppendOnlyError.__doc__)
        # a new object with the id of a stored row would change that row
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(AppendOnlyError.__doc__)


class Topic(models.Model):
    """What messages are about, in the shopper's words."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    purpose = models.CharField(_("purpose"), max_length=16, choices=[(p.value, p.value) for p in Purpose])

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")

    def __str__(self) -> str:
        return self.name


class ConsentText(AppendOnly):
    """The exact words beside a consent box. Changed words are another row."""

    digest = models.CharField(max_length=64, unique=True)
    channel = models.CharField(_("channel"), max_length=16)
    language = models.CharField(_("language"), max_length=12)
    words = models.TextField(_("words"))
    #: keys of the topics that the words name
    topics = models.JSONField(_("topics"))
    created_at = models.DateTimeField(_("first used"))

    class Meta(AppendOnly.Meta):
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")

    def __str__(self) -> str:
        return f"{self.channel}/{self.language} {self.digest[:8]}"


class ConsentEvent(AppendOnly):
    """One thing a person said about one topic on one address, with its proof.

    The fields are the union of what TSR 310.5(a)(8), CASL practice, the ICO and GDPR 7(1) ask to keep.
    """

    class Action(models.TextChoices):
        REQUEST = "request", _("asked for, to be confirmed")
        GRANT = "grant", _("agreed")
        DECLINE = "decline", _("left the box empty")
        REVOKE = "revoke", _("withdrew")
        EXPIRE = "expire", _("expired")

    class Basis(models.TextChoices):
        EXPRESS_WRITTEN = "express_written", _("express written")
        EXPRESS = "express", _("express")
        SOFT_OPT_IN = "soft_opt_in", _("soft opt-in")
        IMPLIED = "implied", _("implied by business relationship")
        UNPROVEN = "unproven", _("unproven import")
        NONE = "none", _("none")

    contact = models.ForeignKey(
        Contact,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="consent_events",
        db_constraint=False,
        db_index=False,  # see the indexes below
    )
    point = models.ForeignKey(
        ContactPoint,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="consent_events",
        db_constraint=False,
    )
    channel = models.CharField(_("channel"), max_length=16)
    address_given = models.CharField(_("address as given"), max_length=254)
    address = models.CharField(_("address"), max_length=254)
    #: key of the topic; empty: all that the words name (request, decline), or everything (revoke)
    topic = models.CharField(_("topic"), max_length=50, blank=True)
    action = models.CharField(_("action"), max_length=16, choices=Action.choices)
    basis = models.CharField(_("basis"), max_length=16, choices=Basis.choices)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=16, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    #: checkout, registration, keyword, form, page, one_click, admin, api, import, provider
    source = models.CharField(_("source"), max_length=32)
    text = models.ForeignKey(
        ConsentText, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("words")
    )
    #: how it was accepted: checkbox, keyword, reply, link, staff
    mechanism = models.CharField(_("how"), max_length=32)
    default_state = models.CharField(_("box before"), max_length=16, blank=True)
    page_url = models.CharField(_("page"), max_length=500, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    session = models.CharField(_("session"), max_length=64, blank=True)
    order_number = models.CharField(_("order"), max_length=128, blank=True)
    #: the request that a confirmation answers
    request = models.ForeignKey(
        "self", on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    #: provider's id of the message or event behind it
    provider_id = models.CharField(max_length=128, blank=True)
    #: message of ours behind it (an unsubscribe link, a confirmation)
    message_id = models.BigIntegerField(null=True)
    #: what the person wrote, word for word
    verbatim = models.TextField(_("said"), blank=True)
    #: "customer" or the staff member
    actor = models.CharField(_("by"), max_length=150)
    brand = models.CharField(_("seller"), max_length=150)
    age_check = models.CharField(_("age check"), max_length=64, blank=True)
    received_at = models.DateTimeField(_("received"), null=True)
    at = models.DateTimeField(_("at"))
    #: digests over this row and the one before it for the same address: a changed row shows
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta(AppendOnly.Meta):
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        indexes = [
            models.Index(fields=["contact", "channel", "id"], name="cc_consent_event_contact"),
            models.Index(fields=["address"], name="cc_consent_event_address"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.channel} {self.topic}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuses a grant without its words, source, address, manner or instant; an unproven import grants nothing."""
        if self.action == self.Action.GRANT and self.basis != self.Basis.UNPROVEN:
            proof = {
                "text": self.text_id,
                "source": self.source,
                "address": self.address,
                "mechanism": self.mechanism,
                "at": getattr(self.at, "tzinfo", None),
            }
            if missing := [name for name, value in proof.items() if not value]:
                raise MissingProof(f"A grant needs {', '.join(missing)}.")
        super().save(*args, **kwargs)


class Consent(models.Model):
    """A contact point's current answer for a topic; derived from the last event."""

    # the unique index begins with it
    point = models.ForeignKey(ContactPoint, on_delete=models.CASCADE, related_name="consents", db_index=False)
    topic = models.CharField(_("topic"), max_length=50)
    answer = models.CharField(_("answer"), max_length=16, choices=[(a.value, a.value) for a in Answer])
    #: end of an implied grant, or of a pending request
    until = models.DateTimeField(_("until"), null=True, blank=True)
    since = models.DateTimeField(_("since"))
    event = models.ForeignKey(
        ConsentEvent, on_delete=models.PROTECT, related_name="+", verbose_name=_("because of")
    )

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [models.UniqueConstraint(fields=["point", "topic"], name="cc_consent_unique")]

    def __str__(self) -> str:
        return f"{self.topic}: {self.answer}"
