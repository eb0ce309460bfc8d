"""What was done about people's data: consents imported, and persons erased."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ConsentImport(models.Model):
    """One file of consents that staff brought from elsewhere."""

    at = models.DateTimeField(_("at"))
    by = models.CharField(_("by"), max_length=150)
    file_name = models.CharField(_("file"), max_length=200)
    #: sha256 of the file: the same file is not imported twice unawares
    digest = models.CharField(max_length=64)
    #: the file, compressed; None once every row was taken, or nobody confirmed it in time
    content = models.BinaryField(null=True, editable=False)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    #: keys of what agreements are about that name no topic and no version of the words
    topics = models.JSONField(_("topics"), default=list)
    #: when staff had seen what it would do, and let it
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    #: so many rows were worked off, whatever became of them
    taken = models.PositiveIntegerField(_("rows taken"), default=0)
    granted = models.PositiveIntegerField(_("granted"), default=0)
    unproven = models.PositiveIntegerField(_("kept without proof"), default=0)
    revoked = models.PositiveIntegerField(_("opted out"), default=0)
    unchanged = models.PositiveIntegerField(_("known before"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    #: line and code of what was wrong, of the first refused rows; no addresses
    problems = models.JSONField(_("problems"), default=list)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("import of consents")
        verbose_name_plural = _("imports of consents")
        permissions = [("run_import", _("Can import consents"))]

    def __str__(self) -> str:
        return self.file_name


class Erasure(models.Model):
    """That somebody was erased, when and why: no address, no name."""

    #: what is left of the contact keeps its id
    contact_id = models.BigIntegerField(_("contact"), db_index=True)
    at = models.DateTimeField(_("at"))
    #: request, account (deleted), retention
    cause = models.CharField(_("cause"), max_length=16)
    by = models.CharField(_("by"), max_length=150)
    #: how many rows of each kind went
    counts = models.JSONField(_("counts"), default=dict)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        permissions = [
            ("export_person", _("Can export everything about a person")),
            ("erase_person", _("Can erase a person")),
        ]

    def __str__(self) -> str:
        return f"#{self.contact_id}"
