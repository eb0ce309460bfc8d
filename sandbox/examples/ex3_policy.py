"""A policy: marketing rests on the first of January. CROSSCHANNEL_POLICIES = ["…ex3_policy.not_on_new_year"]"""

from datetime import datetime, timedelta

from oscar_crosschannel.core.facts import Candidate, Facts, Purpose
from oscar_crosschannel.core.rulings import Allow, Defer, Reason, Ruling


def not_on_new_year(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    if candidate.purpose is Purpose.MARKETING and (at.month, at.day) == (1, 1):
        return Defer(
            at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1), Reason.OUTSIDE_HOURS
        )
    return Allow()
