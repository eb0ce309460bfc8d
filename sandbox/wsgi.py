import os

from django.core.wsgi import get_wsgi_application

from sandbox import clock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
clock.install()
application = get_wsgi_application()
