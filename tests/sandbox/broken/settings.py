"""The demo's shop, broken twice: a flow that nothing stops, and a rule that lets no email out."""

from datetime import datetime

from oscar_crosschannel.core.facts import EMAIL, Candidate, Facts
from oscar_crosschannel.core.rulings import Allow, Deny, Reason, Ruling
from sandbox.demo.settings import *

INSTALLED_APPS = ["tests.sandbox.broken", *INSTALLED_APPS]
DEMO_PLOT = "tests.sandbox.broken.plot.TWO_DAYS"  # by then the demo has found it out
CROSSCHANNEL_POLICIES = [f"{__name__}.no_email_ever"]


def no_email_ever(candidate: Candidate, channel: str, facts: Facts, at: datetime) -> Ruling:
    return Deny(Reason.CONDITION) if channel == EMAIL else Allow()
