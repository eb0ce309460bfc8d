"""Promotion in messages that belong to an order or account: kept only by staff who may, and with a reason (rule 39)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

PERMISSION = "oscar_crosschannel.override_purpose"


def reason(form: forms.Form, user: Any) -> str:
    """Why it is kept nevertheless. The form asks it of staff who may say so; empty: it was not said."""
    if not user.has_perm(PERMISSION):
        return ""
    form.fields["why"] = forms.CharField(
        label=_("Why it is kept nevertheless"),
        required=False,
        max_length=500,
        help_text=_("Kept in the history; other staff can read it."),
    )
    return str(form.data.get(form.add_prefix("why"), "")).strip()
