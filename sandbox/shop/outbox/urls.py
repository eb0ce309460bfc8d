from django.urls import path

from . import views

urlpatterns = [
    path("", views.outbox, name="outbox"),
    path("mail/<slug:mail_id>/", views.mail_html, name="outbox-mail"),
    path("leap/", views.leap, name="outbox-leap"),
    path("reply/", views.reply, name="outbox-reply"),
    path("become/", views.become, name="outbox-become"),
    path("start-over/", views.start_over, name="outbox-start-over"),
]
