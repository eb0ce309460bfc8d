"""What a store's own tests may use: contract suites for channels, and a counterpart for text messages.

Public. Imports anything below; nothing that runs in production imports it. `channels` needs pytest
and pytest-django, `sms_counterpart` nothing but what the app itself needs.
"""
