"""The providers behind the SMS channel, one module each.

A backend is named by the setting `CROSSCHANNEL_SMS_BACKEND` and used through `SmsChannel` only.
Knows core values and settings; must not know email, models or services. `codes` is the exception
that services may read: what a provider's words mean in ours.
"""
