from django.contrib.auth import get_user_model
from django.test import TestCase
from oscar.test import factories

from oscar_crosschannel import api
from oscar_crosschannel.testing.journey import journey


class BasketReminders(TestCase):
    def setUp(self):
        ada = get_user_model().objects.create_user("ada", "ada@example.com")
        self.basket = factories.create_basket(empty=True)
        self.basket.owner = ada
        self.basket.save()
        self.basket.add_product(factories.create_product(title="Earl Grey", price=10, num_in_stock=5))
        self.contact = api.contact_for(user_id=ada.pk, email=ada.email, language="en")

    def test_a_basket_left_behind_is_recalled_once(self):
        with journey(self.contact) as j:
            j.agree("email")
            j.abandon(self.basket)
            j.advance("50m")
            j.assert_not_sent()
            j.advance("20m")
            j.assert_sent("email", containing="Earl Grey")

    def test_who_buys_within_the_hour_hears_nothing(self):
        with journey(self.contact) as j:
            j.agree("email")
            j.abandon(self.basket)
            j.advance("30m")
            j.order(self.basket)
            j.advance("3d")
            j.assert_not_sent("email")
