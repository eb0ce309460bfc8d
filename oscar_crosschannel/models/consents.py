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
        super().save(*args, **kwargs)

    def _save_table(self, raw: bool, cls: Any, force_insert: bool, *args: Any) -> bool:
        # A new object with the id of a stored row would change that row. Here, because a fixture passes by `save`.
        inserted: bool = super()._save_table(raw, cls, True, *args)  # type: ignore[misc]
        return inserted

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(AppendOnlyError.__doc__)


class Topic(models.Model):
    """What messages are about, in the shopper's words."""

    key = models.SlugField(_("key"), unique=True)
    #: in the shop's own language; `TopicWords` has the others
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    purpose = models.CharField(_("purpose"), max_length=16, choices=[(p.value, p.value) for p in Purpose])
    #: whether shoppers may choose it in the preference center
    offered = models.BooleanField(_("offered to shoppers"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    #: in years; consent then needs a checked date of birth (rule 14)
    minimum_age = models.PositiveSmallIntegerField(_("minimum age"), null=True, blank=True)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering = ["position", "key"]
        permissions = [("override_purpose", _("Can keep promotion in messages that belong to an order"))]

    def __str__(self) -> str:
        return self.name


class TopicWords(models.Model):
    """How a topic is called in a further language."""

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="words")
    language = models.CharField(_("language"), max_length=12)
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)

    class Meta:
        verbose_name = _("words of a topic")
        verbose_name_plural = _("words of topics")
        constraints = [models.UniqueConstraint(fields=["topic", "language"], name="cc_topic_words_unique")]

    def __str__(self) -> str:
        return f"{self.language}: {self.name}"


class ConsentTemplate(AppendOnly):
    """A version of the words beside a consent box, with slots. The newest of its kind is shown.

    Only the newest row for (kind, country, language) counts; empty words mean: as shipped.
    """

    #: which box: sms, email, or another name of a file in templates/oscar_crosschannel/consent
    kind = models.CharField(_("box"), max_length=32)
    #: ISO code; empty: wherever no version is made for the country
    country = models.CharField(_("country"), max_length=2, blank=True)
    language = models.CharField(_("language"), max_length=12)
    words = models.TextField(_("words"), blank=True)
    #: keys of the topics that the words name
    topics = models.JSONField(_("topics"), default=list)
    made_at = models.DateTimeField(_("made"))
    made_by = models.CharField(_("by"), max_length=150)

    class Meta(AppendOnly.Meta):
        verbose_name = _("words beside a consent box")
        verbose_name_plural = _("words beside consent boxes")
        indexes = [
            models.Index(fields=["kind", "country", "language", "id"], name="cc_consent_template_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind}/{self.country or '*'}/{self.language} #{self.pk}"


class ConsentText(AppendOnly):
    """The exact words beside a consent box. Changed words are another row."""

    digest = models.CharField(max_length=64, unique=True)
    channel = models.CharField(_("channel"), max_length=16)
    #: which box (see `ConsentTemplate.kind`); empty: the one named like the channel
    kind = models.CharField(_("box"), max_length=32, blank=True)
    language = models.CharField(_("language"), max_length=12)
    words = models.TextField(_("words"))
    #: keys of the topics that the words name
    topics = models.JSONField(_("topics"))
    #: whether the words say that messages may come at night
    any_hour = models.BooleanField(_("at any hour"), default=False)
    #: the merchant's version they came from; None: the shipped words, or words given by an API
    template = models.ForeignKey(
        ConsentTemplate, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("version")
    )
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
        #: `mechanism` says why, as a `core.consent.Unasked`; never of a point, for it answers nothing
        UNASKED = "unasked", _("wanted it, and was not asked to confirm")

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
    #: of a request: keys of the topics that the person chose among those that the words name, with a
    #: space between; empty: all of them
    chosen = models.TextField(_("chosen topics"), blank=True)
    #: whether the person would rather be written to on this channel than on others
    is_primary = models.BooleanField(_("preferred channel"), null=True)
    action = models.CharField(_("action"), max_length=16, choices=Action.choices)
    basis = models.CharField(_("basis"), max_length=16, choices=Basis.choices)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=16, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    #: checkout, registration, keyword, form, page, one_click, admin, api, provider, erasure;
    #: of an import "import: " and where the file says it was collected
    source = models.CharField(_("source"), max_length=100)
    text = models.ForeignKey(
        ConsentText, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("words")
    )
    #: how it was accepted: checkbox, keyword, reply, link, staff; of `UNASKED` why not
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
    #: "customer", "visitor" (nobody was signed in), "system", or the staff member
    actor = models.CharField(_("by"), max_length=150)
    brand = models.CharField(_("seller"), max_length=150)
    #: years of age that a date of birth proved at that time (rule 14)
    proven_age = models.PositiveSmallIntegerField(_("proven age"), null=True)
    #: whether a way out was offered when the address was collected: a soft opt-in needs it (rule 13)
    way_out_offered = models.BooleanField(_("way out offered"), null=True)
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
            # the questions by text of the last hour are counted before each further one
            models.Index(
                fields=["at"],
                condition=models.Q(action="request", channel="sms", point__isnull=False),
                name="cc_consent_event_texted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.channel} {self.topic}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuses a grant without its words, source, address, manner or instant; an unproven import grants nothing.

        An implied grant also needs its end, and a soft opt-in that a way out was offered (rule 13).
        """
        if self.action == self.Action.GRANT and self.basis != self.Basis.UNPROVEN:
            proof = {
                "text": self.text_id,
                "source": self.source,
                "address": self.address,
                "mechanism": self.mechanism,
                "at": getattr(self.at, "tzinfo", None),
            }
            if self.basis == self.Basis.IMPLIED:
                proof["expires_at"] = self.expires_at
            if self.basis == self.Basis.SOFT_OPT_IN:
                proof["way_out_offered"] = self.way_out_offered
            if missing := [name for name, value in proof.items() if not value]:
                raise MissingProof(f"A grant needs {', '.join(missing)}.")
        super().save(*args, **kwargs)


class Consent(models.Model):
    """A contact point's current answer for a topic; derived from the last event."""

    # the unique index begins with it
    point = models.ForeignKey(ContactPoint, on_delete=models.CASCADE, related_name="consents", db_index=False)
    topic = models.CharField(_("topic"), max_length=50)
    answer = models.CharField(_("answer"), max_length=16, choices=[(a.value, a.value) for a in Answer])
    #: of the grant; each country says which it accepts for texts (rule 1)
    basis = models.CharField(_("basis"), max_length=16, choices=ConsentEvent.Basis.choices, blank=True)
    proven_age = models.PositiveSmallIntegerField(_("proven age"), null=True, blank=True)
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
        # who may be told of a topic, and whether anybody has answered about it
        indexes = [models.Index(fields=["topic", "answer"], name="cc_consent_topic")]

    def __str__(self) -> str:
        return f"{self.topic}: {self.answer}"
