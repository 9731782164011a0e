"""The embedded portal, spoken to over HTTP: methods, statuses, tokens, framing, and a clean end."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from amoot_etl.demo import DEMO_TOKEN, METHODS, AddressBook, Fault, Portal


@pytest.fixture
def portal():
    """A portal with fifty contacts in three groups."""
    with Portal(AddressBook.invent(contacts=50, labels=3)) as portal:
        yield portal


@pytest.fixture
def session():
    """A session that holds the token."""
    with requests.Session() as session:
        session.headers["Authorization"] = DEMO_TOKEN
        yield session


def _ask(session, portal, method, **fields):
    return session.post(f"{portal.url}/{method}", data=fields, timeout=10)


def test_each_method_answers_what_the_book_holds(portal, session):
    """Groups with counts, listings of a group, of all and of the unlabelled, one contact, the updates."""
    book = portal.book
    groups = _ask(session, portal, "ContactGroupList").json()
    assert groups["Status"] == "Success"
    assert {
        row["ContactGroupID"]: (row["ContactsCount"], row["ContactsActiveCount"]) for row in groups["Data"]
    } == book.counts()
    assert [row["Title"] for row in groups["Data"]] == list(book.groups().values())
    for group in (0, -1, *book.groups()):
        listing = _ask(session, portal, "ContactList", ContactGroupID=group).json()
        assert listing == {"Status": "Success", "Data": [book.contact(i) for i in book.members(group)]}
    one = _ask(session, portal, "ContactGet", ContactID=100_007).json()
    assert one == {"Status": "Success", "Data": book.contact(100_007)}
    updates = _ask(session, portal, "ContactListUpdates", ContactGroupID=0).json()["Data"]
    assert {row["ID"]: row["UpdateDateTime"] for row in updates} == {
        i: book.contact(i)["UpdateDateTime"] for i in book
    }
    assert [call.method for call in portal.calls].count("ContactList") == 5


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("ContactList", {"ContactGroupID": 99}, "ContactGroupID_Invalid"),
        ("ContactList", {"ContactGroupID": -2}, "ContactGroupID_Invalid"),
        ("ContactList", {}, "ContactGroupID_Invalid"),
        ("ContactGet", {"ContactID": 1}, "ContactID_Invalid"),
        ("ContactGet", {"ContactID": "x"}, "ContactID_Invalid"),
        ("ContactListUpdates", {"ContactGroupID": -1}, "ContactGroupID_Invalid"),
        ("ContactListUpdates", {"ContactGroupID": 99}, "Success"),
    ],
)
def test_bad_arguments_have_their_status(portal, session, method, fields, status):
    """A wrong group or contact is HTTP 200 with a status and empty data; updates only look at the sign."""
    reply = _ask(session, portal, method, **fields)
    assert reply.status_code == 200
    assert reply.json()["Status"] == status == portal.calls[-1].status
    if status != "Success":
        assert reply.json()["Data"] == ({} if method == "ContactGet" else [])


def test_the_missing_may_be_failed(portal, session):
    """`missing` decides how a contact that is gone is answered."""
    portal.book.delete(100_007)
    portal.book.missing = "Failed"
    assert _ask(session, portal, "ContactGet", ContactID=100_007).json() == {"Status": "Failed", "Data": {}}


def test_tokens_open_what_they_may(portal, session):
    """No token, a wrong one, one for some methods, and one that is revoked are each refused their own way."""
    url = f"{portal.url}/ContactGroupList"
    assert requests.post(url, timeout=30).json()["Status"] == "Token_NotExists"
    for wrong in ("wrong", f"Bearer {DEMO_TOKEN}"):
        reply = requests.post(url, headers={"Authorization": wrong}, timeout=30)
        assert reply.json() == {"Status": "Token_Invalid", "Data": []}
    portal.allow(DEMO_TOKEN, METHODS[:2])
    assert _ask(session, portal, "ContactGroupList").json()["Status"] == "Success"
    assert _ask(session, portal, "ContactGet", ContactID=100_001).json() == {
        "Status": "Token_NotAllowMethod",
        "Data": {},
    }
    portal.allow("another")
    portal.revoke(DEMO_TOKEN, "Token_Expired")
    assert _ask(session, portal, "ContactGroupList").json()["Status"] == "Token_Expired"
    assert requests.post(url, headers={"Authorization": "another"}, timeout=30).json()["Status"] == "Success"
    with pytest.raises(ValueError, match="ContactSet"):
        portal.allow("x", ["ContactSet"])
    assert DEMO_TOKEN not in repr(portal.calls)


def test_updates_may_be_off(portal, session):
    """A portal whose updates are off answers as it does to a token that may not call them."""
    portal.book.updates = "off"
    reply = _ask(session, portal, "ContactListUpdates", ContactGroupID=0)
    assert reply.json() == {"Status": "Token_NotAllowMethod", "Data": []}


def test_what_is_no_method_is_an_http_error(portal, session):
    """An unknown path, a GET, and a body that is too large are refused with pages."""
    assert _ask(session, portal, "ContactSet").status_code == 404
    assert session.get(f"{portal.url}/ContactList", timeout=30).status_code == 405
    assert session.post(f"{portal.url}/ContactList", data=b"x" * (2 << 20), timeout=30).status_code == 413
    assert [call.status for call in portal.calls] == ["HTTP 404", "HTTP 405", "HTTP 413"]


def test_the_vendors_curl_example_works(portal, session):
    """A multipart form, which the vendor's curl example sends, is read like any other."""
    reply = session.post(f"{portal.url}/ContactGet", files={"ContactID": (None, "100003")}, timeout=30)
    assert reply.json()["Data"]["ID"] == 100_003


def test_one_connection_carries_many_calls(portal, session):
    """The connection stays open from call to call, and each call says which one it came by."""
    for contact_id in range(100_001, 100_006):
        _ask(session, portal, "ContactGet", ContactID=contact_id)
    assert {call.connection for call in portal.calls} == {1}
    assert portal.calls[0].fields == {"ContactID": "100001"}
    assert portal.calls[0].headers["user-agent"].startswith("python-requests")


def test_gzip_is_given_to_those_who_ask(portal):
    """A large body is compressed for a client that accepts it, and for no other."""
    plain, packed = (_raw(portal, {"Accept-Encoding": accepts}) for accepts in ("identity", "gzip"))
    assert plain.getheader("Content-Encoding") is None
    assert packed.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert plain.getheader("Content-Length") == str(len(plain.body))


@pytest.mark.parametrize("packed", [False, True])
def test_bodies_may_come_in_chunks(packed):
    """A portal may send chunks without a length."""
    book = AddressBook.invent(contacts=3000)
    with Portal(book, chunked=True, gzip=packed) as portal:
        reply = _raw(portal, {"Accept-Encoding": "gzip"})
        assert reply.getheader("Transfer-Encoding") == "chunked"
        assert reply.getheader("Content-Length") is None
        body = gzip.decompress(reply.body) if packed else reply.body
        assert len(json.loads(body)["Data"]) == 3000


def test_an_old_client_is_served_until_the_close(portal):
    """A client of HTTP/1.0 gets no chunks."""
    host, port = portal.url.split("/")[2].split(":")
    portal.chunked = True
    form = b"ContactGroupID=0"
    with socket.create_connection((host, int(port)), 30) as client:
        head = f"POST /rest/ContactList HTTP/1.0\r\nAuthorization: {DEMO_TOKEN}\r\nContent-Length: {len(form)}\r\n\r\n"
        client.sendall(head.encode() + form)
        got = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert len(json.loads(body)["Data"]) == 50


def test_prepared_bodies_are_sent_as_they_are(tmp_path, session):
    """A file or a function stands in for the book's answer, by group or by method."""
    file = tmp_path / "body.json"
    body = b'{"Status":"Success","Data":[{"ID":1}]}' + b" " * 3_000_000
    file.write_bytes(body)
    bodies = {5: file, 6: lambda: iter([b'{"Status":"Success",', b'"Data":[]}']), "ContactGroupList": file}
    with Portal(AddressBook(), gzip=False, bodies=bodies) as portal:
        assert _ask(session, portal, "ContactList", ContactGroupID=5).content == body
        assert _ask(session, portal, "ContactGroupList").content == body
        for _ in range(2):
            assert _ask(session, portal, "ContactList", ContactGroupID=6).json()["Data"] == []
        assert _ask(session, portal, "ContactList", ContactGroupID=0).json()["Data"] == []
        portal.chunked = True
        assert _ask(session, portal, "ContactList", ContactGroupID=5).content == body
        portal.gzip = True
        assert _ask(session, portal, "ContactList", ContactGroupID=5).content == body
        portal.plan(Fault.cut())
        with pytest.raises(requests.RequestException):
            _ask(session, portal, "ContactList", ContactGroupID=5)


def test_calls_at_one_time_are_counted(portal):
    """The portal tells how many calls it ever answered at one time."""
    gate = threading.Barrier(4, timeout=30)
    portal.plan(Fault.meanwhile(gate.wait), "ContactGet")

    def ask(contact_id):
        form = {"ContactID": contact_id}
        headers = {"Authorization": DEMO_TOKEN}
        return requests.post(f"{portal.url}/ContactGet", form, headers=headers, timeout=30).json()["Status"]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(100_001, 100_005))) == {"Success"}
    assert portal.most_at_once == 4


@pytest.mark.parametrize("where", ["before", "in"])
def test_stopping_ends_every_thread_and_connection(where, session):
    """A stopped portal leaves no thread and no socket, though clients hang on it and others idle."""
    before = set(threading.enumerate())
    portal = Portal(AddressBook.invent(contacts=10))
    portal.start()
    _ask(session, portal, "ContactGroupList")
    url = portal.url
    portal.plan(Fault.hang(where))
    host, port = url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), 30) as client:
        client.sendall(b"POST /rest/ContactGet HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        if where == "in":
            assert client.recv(10)
        else:
            while not portal.calls[1:]:
                threading.Event().wait(0.005)
        portal.stop()
        assert set(threading.enumerate()) <= before
        assert client.recv(1 << 16) is not None
    with pytest.raises(requests.ConnectionError):
        requests.post(url, timeout=1)
    portal.stop()


def test_stopping_does_not_wait_for_the_slow():
    """A pause of a minute ends when the portal stops."""
    portal = Portal(AddressBook())
    portal.start()
    portal.plan(Fault.late(60))
    host, port = portal.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), 30) as client:
        client.sendall(b"POST /rest/ContactGet HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        while not portal.calls:
            threading.Event().wait(0.005)
        start = time.monotonic()
        portal.stop()
    assert time.monotonic() - start < 30


def test_a_portal_may_start_again_at_its_place(session):
    """A stopped portal keeps its port, so that a client finds it when it comes back."""
    portal = Portal(AddressBook())
    with portal:
        url = portal.url
    with portal:
        assert portal.url == url
        assert _ask(session, portal, "ContactGroupList").json()["Data"] == []


def test_a_taken_port_is_an_error(portal):
    """Two portals cannot have one port."""
    port = int(portal.url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="in use"), Portal(AddressBook(), port=port):
        pass


def test_wait_returns_when_the_portal_stops():
    """`wait` serves until someone stops the portal."""
    portal = Portal(AddressBook())
    portal.wait()
    portal.start()
    threading.Timer(0.05, portal.stop).start()
    portal.wait()
    assert portal.url.endswith("/rest")


def _raw(portal, headers):
    """Ask for the listing of everyone and give the reply with its bytes as they came, as `body`."""
    connection = http.client.HTTPConnection(portal.url.split("/")[2], timeout=30)
    try:
        connection.request(
            "POST", "/rest/ContactList", "ContactGroupID=0", {"Authorization": DEMO_TOKEN, **headers}
        )
        reply = connection.getresponse()
        reply.body = reply.read()
        return reply
    finally:
        connection.close()
