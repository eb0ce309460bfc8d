"""People inside flows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .contacts import Contact
from .flows import Flow


class Enrolment(models.Model):
    """One contact in one flow for one key: this run of this basket, this order."""

    class State(models.IntegerChoices):
        ACTIVE = 0, _("inside")
        ENDED = 1, _("ended")

    # neither has an index of its own: below, one begins with the contact and one with the flow
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="enrolments", db_index=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    key = models.CharField(max_length=160)
    state = models.SmallIntegerField(_("state"), choices=State.choices, default=State.ACTIVE)
    #: due times count from here
    anchor_at = models.DateTimeField(_("anchor"))
    #: the one human click that moved the anchor
    clicked_at = models.DateTimeField(_("clicked"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(_("because"), max_length=32, blank=True)
    #: ids of the shop's rows the run is about
    subjects = models.JSONField(default=dict)
    data = models.JSONField(default=dict)
    #: copy of the flow's rule, so that the database can hold it
    one_run = models.BooleanField(default=False)
    held_out = models.BooleanField(_("held out"), default=False)
    #: the last step a message was planned for
    step_key = models.CharField(_("step"), max_length=50, blank=True)
    #: its message was resolved without scheduling the next; the next tick does
    needs_next = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        constraints = [
            models.UniqueConstraint(fields=["contact", "flow", "key"], name="cc_enrolment_unique"),
            models.UniqueConstraint(
                fields=["contact", "flow"],
                condition=models.Q(state=0, one_run=True),
                name="cc_enrolment_one_run",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(state=0, needs_next=True), name="cc_enrolment_needs_next"
            ),
            models.Index(fields=["contact", "flow", "state"], name="cc_enrolment_contact"),
            # how many people are inside a flow, and whether anybody ever was
            models.Index(fields=["flow", "state"], name="cc_enrolment_flow"),
        ]
        permissions = [("end_enrolment", _("Can end runs"))]

    def __str__(self) -> str:
        return f"{self.flow_id}:{self.key}"
