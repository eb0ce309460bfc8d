import threading, pytest
from django.db import connection, transaction, connections
from oscar_crosschannel.services import contacts, consents, replies, setup
from oscar_crosschannel.models import *
from tests.factories import NOON
from tests.services.shoppers import *
pytestmark=[pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
def together(*jobs):
    bar=threading.Barrier(len(jobs)); errs=[]
    def run(j):
        try:
            connection.ensure_connection(); bar.wait(); j()
        except Exception as e: errs.append(repr(e)[:300])
        finally: connections.close_all()
    ts=[threading.Thread(target=run,args=(j,)) for j in jobs]
    [t.start() for t in ts]; [t.join() for t in ts]
    return errs
def test_identify():
    errs=[]
    for n in range(30):
        def j():
            with transaction.atomic(): contacts.identify(email=f"x{n}@example.com", now=NOON)
        errs+=together(j,j,j)
    print(errs); assert not errs
    assert Contact.objects.count()==30
def test_stop_many():
    people=[guest(f"p{i}@example.com") for i in range(6)]
    with transaction.atomic():
        for c in people: consents.grant(c,"sms",TOPICS,source="t",words="Y",address=PHONE,now=NOON)
    errs=[]
    for n in range(15):
        errs+=together(*[lambda i=i: replies.take_inbound(sid=f"S{n}-{i}",phone=PHONE,to="",body="STOP",now=NOON) for i in range(3)],
           *[lambda i=i: _t(people[i]) for i in range(3)])
    print(errs); assert not errs
    assert all(permitted(c,"sms")==set() for c in people)
    print(ConsentEvent.objects.count(), )
    from oscar_crosschannel.services import evidence
    assert evidence.altered("sms",PHONE)==[]
def _t(c):
    tick(c,"sms",PHONE)
def test_register_race():
    errs=[]
    for n in range(20):
        g=guest(f"r{n}@example.com"); u=account(f"r{n}@example.com")
        def a():
            with transaction.atomic(): contacts.identify(user_id=u.pk, now=NOON)
        def b():
            with transaction.atomic(): contacts.identify(email=u.email, now=NOON)
        errs+=together(a,b,a)
    print(errs); assert not errs
    assert Contact.objects.filter(merged_into=None).count()==20
def test_merge_cross():
    errs=[]
    for n in range(15):
        a=guest(f"a{n}@example.com"); b=guest(f"b{n}@example.com")
        errs+=together(lambda: contacts.merge(a,b,now=NOON), lambda: contacts.merge(b,a,now=NOON))
    print(errs)
    for c in Contact.objects.all(): contacts.followed(c)
