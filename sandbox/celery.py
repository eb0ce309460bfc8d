"""The Celery application, for stores that run one: `celery -A sandbox worker` and `celery -A sandbox beat`.

Beat reads its rows from the database; `migrate` has made the one that runs the engine. A single
worker may be its own beat: `celery -A sandbox worker -B`.
"""

import os

from celery import Celery

from sandbox import clock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
clock.install()
app = Celery("sandbox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
