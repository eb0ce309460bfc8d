"""“Where is my parcel?”: the way from a link in a text to the carrier's page.

Links in texts lead to the shop, so this stands between. Where it sends people is worked out from the table of
carriers and what staff wrote beside the parcel; nothing in the request says it.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..conf import settings
from ..core import tokens
from ..oscar import parcels
from ..services import links
from .pages import unknown_link


@never_cache
@login_not_required
@require_safe
def parcel(request: HttpRequest, token: str) -> HttpResponse:
    """Send the visitor on to the carrier, or to the order's page where no carrier is known any more."""
    found = tokens.read(tokens.PARCEL, token, keys=settings.link_keys())
    target = parcels.page(found[0]) if found else None
    return HttpResponseRedirect(links.absolute(target)) if target else unknown_link()
