"""A store without pages: a front end of its own speaks to django-oscar-api."""

from tests.stores.settings import *

INSTALLED_APPS += ["rest_framework", "oscarapi"]
MIDDLEWARE = [
    "oscarapi.middleware.ApiBasketMiddleWare"
    if name == "oscar.apps.basket.middleware.BasketMiddleware"
    else name
    for name in MIDDLEWARE
]
ROOT_URLCONF = "tests.stores.projects.headless.urls"
OSCARAPI_ENABLE_REGISTRATION = True
CROSSCHANNEL_BASKET_URL = "/cart/"  # a page of the front end
