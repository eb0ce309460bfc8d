from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from oscar.core.loading import get_model

from tests.stores.urls import urlpatterns as pages


@csrf_exempt
def bank(request: HttpRequest, number: str, answer: str) -> HttpResponse:
    """What the bank says of a payment, hours later. A declined one gives the shopper the basket back."""
    order = get_model("order", "Order").objects.get(number=number)
    order.set_status(answer)
    if answer == "Payment declined":
        get_model("basket", "Basket").objects.filter(pk=order.basket_id).update(status="Open")
    return HttpResponse("thanks")


urlpatterns = [*pages, path("bank/<number>/<answer>/", bank)]
