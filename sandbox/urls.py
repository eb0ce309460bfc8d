from typing import Any

from django.apps import apps
from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.templatetags.static import static as static_url
from django.urls import include, path
from django.views.generic import RedirectView

_oscar: Any = apps.get_app_config("oscar")

urlpatterns = [
    path("favicon.ico", RedirectView.as_view(url=static_url("shop/leaf.svg"))),  # the admin names none
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("cc/", include("oscar_crosschannel.urls")),
    path("anymail/", include("anymail.urls")),
    path("outbox/", include("sandbox.shop.outbox.urls")),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
    path("", include(_oscar.urls[0])),
]
