from typing import Any

from django.apps import apps
from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from sandbox.shop import outbox

_oscar: Any = apps.get_app_config("oscar")

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("cc/", include("oscar_crosschannel.urls")),
    path("anymail/", include("anymail.urls")),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/<int:number>/", outbox.outbox_message, name="outbox-message"),
    path("outbox/<int:number>/html/", outbox.outbox_html, name="outbox-html"),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
    path("", include(_oscar.urls[0])),
]
