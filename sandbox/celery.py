"""The Celery application, for stores that run one: `celery -A sandbox worker -B`."""

import os

from celery import Celery

from sandbox import clock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
clock.install()
app = Celery("sandbox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
