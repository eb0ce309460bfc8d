"""Exclusive codes that messages carry."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .contacts import Contact
from .messages import Message


class VoucherGrant(models.Model):
    """One exclusive code for one message; never two."""

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="grant")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="grants")
    voucher = models.ForeignKey("voucher.Voucher", on_delete=models.SET_NULL, null=True, related_name="+")
    code = models.CharField(_("code"), max_length=128, unique=True)
    granted_at = models.DateTimeField(_("granted"))
    valid_until = models.DateTimeField(_("valid until"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("voucher grant")
        verbose_name_plural = _("voucher grants")

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherBudget(models.Model):
    """How many codes were handed out on a day; spent by one conditional UPDATE."""

    day = models.DateField(primary_key=True)
    issued = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.day)
