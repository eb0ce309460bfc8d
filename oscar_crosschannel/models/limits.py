"""The merchant's limits: where and when texts may arrive, how often, and what stopped marketing by itself."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class TextingRule(models.Model):
    """What the merchant changed about the rules for texts of one place. NULL means: as shipped.

    The shipped rows are `data/texting_rules.json` with the project's setting `TEXTING_RULES`.
    """

    #: ISO code of a country ("FR") or state ("US-FL"); or marketing, unsure, default
    place = models.CharField(_("place"), max_length=16, unique=True)
    #: open hours by days of the week, as {"mon-sat": "09:00-20:00"}
    hours = models.JSONField(_("hours"), null=True, blank=True)
    #: whether public holidays are closed
    holidays_closed = models.BooleanField(_("closed on public holidays"), null=True, blank=True)
    #: at most so many texts to a number …
    most = models.PositiveSmallIntegerField(_("most texts"), null=True, blank=True)
    #: … within so many hours
    most_within = models.DurationField(_("within"), null=True, blank=True)
    #: kinds of consent that permit marketing texts; see ConsentEvent.Basis
    bases = models.JSONField(_("consent that permits texts"), null=True, blank=True)
    #: people cannot answer the sender there, so each text must carry another way out
    one_way = models.BooleanField(_("no replies possible"), null=True, blank=True)
    reviewed_on = models.DateField(_("compared with the law on"), null=True, blank=True)
    source = models.TextField(_("source"), null=True, blank=True)

    class Meta:
        verbose_name = _("rules for texts in a place")
        verbose_name_plural = _("rules for texts by place")
        ordering = ["place"]

    def __str__(self) -> str:
        return self.place


class FrequencyCap(models.Model):
    """A limit to how often a person hears from the shop: a shipped one changed, or the merchant's own.

    A shipped one is known by its key, and NULL there means: as shipped. One of the merchant's has all values.
    """

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    #: empty: over all channels together
    channel = models.CharField(_("channel"), max_length=16, blank=True)
    #: key of a topic; empty: all
    topic = models.CharField(_("topic"), max_length=50, blank=True)
    most = models.PositiveSmallIntegerField(_("most messages"), null=True, blank=True)
    window = models.DurationField(_("within"), null=True, blank=True)
    enabled = models.BooleanField(_("in force"), null=True, blank=True)

    class Meta:
        verbose_name = _("frequency limit")
        verbose_name_plural = _("frequency limits")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name or self.key


class SmsBudget(models.Model):
    """How many segments of texts the shop wants to pay for in a day and in a month, and how many it has.

    Both rows are there always: workers take what their texts need from them, under the rows' locks.
    """

    class Key(models.TextChoices):
        DAY = "day", _("day")
        MONTH = "month", _("month")

    key = models.CharField(_("within"), max_length=8, primary_key=True, choices=Key.choices)
    #: NULL: as the project's settings say
    most = models.PositiveIntegerField(_("most segments"), null=True, blank=True)
    #: the first day of what is counted, in the shop's time zone
    began = models.DateField(_("since"), null=True)
    #: segments by the country they went to; an empty one: unknown
    taken = models.JSONField(_("segments"), default=dict)
    used = models.PositiveIntegerField(_("segments"), default=0)
    #: a text for marketing was stopped, so the others need not ask
    is_closed = models.BooleanField(_("marketing waits"), default=False)
    #: share in percent of which staff were told
    told = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("budget for texts")
        verbose_name_plural = _("budget for texts")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.get_key_display()


class Guard(models.Model):
    """Complaints or bounces rose above what mailbox providers accept (rule 50). Rows stay as history."""

    class Measure(models.TextChoices):
        COMPLAINTS = "complaints", _("complaints")
        BOUNCES = "bounces", _("hard bounces")

    class Level(models.TextChoices):
        WARNED = "warned", _("warned")
        PAUSED = "paused", _("marketing is paused")

    channel = models.CharField(_("channel"), max_length=16)
    measure = models.CharField(_("measure"), max_length=16, choices=Measure.choices)
    level = models.CharField(_("state"), max_length=16, choices=Level.choices)
    #: so many of `sent` messages, when it was noticed or last grew
    bad = models.PositiveIntegerField(_("of these bad"))
    sent = models.PositiveIntegerField(_("messages sent"))
    since = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    #: the staff member who let marketing go on, or "system"
    ended_by = models.CharField(_("ended by"), max_length=150, blank=True)
    note = models.TextField(_("note"), blank=True)

    class Meta:
        verbose_name = _("guard of the sender's reputation")
        verbose_name_plural = _("guards of the sender's reputation")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "measure"], condition=models.Q(ended_at=None), name="cc_guard_one_open"
            )
        ]
        permissions = [("end_guard", _("Can let marketing go on"))]

    def __str__(self) -> str:
        return f"{self.channel} {self.measure} {self.level}"
