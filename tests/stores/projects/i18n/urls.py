from django.apps import apps
from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("cc/", include("oscar_crosschannel.urls")),
    *i18n_patterns(path("", include(apps.get_app_config("oscar").urls[0]))),
]
