from django.urls import include, path

from . import views

urlpatterns = [
    path("cc/", include("oscar_crosschannel.urls")),
    path("api/", include("oscarapi.urls")),
    path("api/consent/", views.consent),
    path("cart/", views.cart),
]
