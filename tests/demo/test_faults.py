"""The plan of faults: each fault is seen by a client as what it is, on the calls it is for and no others."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from amoot_etl.demo import DEMO_TOKEN, SHAPES, STATUSES, WORDS, AddressBook, Fault, Portal, parse_fault
from amoot_etl.errors import SettingsError

BOOK = AddressBook.invent(contacts=30, labels=2)


@pytest.fixture(scope="module")
def shared():
    """One portal for the module: nothing here changes its book."""
    with Portal(BOOK) as portal:
        yield portal


@pytest.fixture
def portal(shared):
    """That portal, without a plan and without a past."""
    shared.heal()
    shared.calls.clear()
    return shared


def ask(portal, method="ContactList", fields="ContactGroupID=0", timeout=30, **headers):
    """Ask by a connection of its own and give the reply, its bytes as they came in `body`."""
    connection = http.client.HTTPConnection(portal.url.split("/")[2], timeout=timeout)
    form = {"Authorization": DEMO_TOKEN, "Content-Type": "application/x-www-form-urlencoded", **headers}
    try:
        connection.request("POST", f"/rest/{method}", fields, form)
        reply = connection.getresponse()
        reply.body = reply.read()
        return reply
    finally:
        connection.close()


def healthy(portal):
    """Give the healthy answer's JSON."""
    portal.heal()
    return json.loads(ask(portal).body)


@pytest.mark.parametrize("status", [*STATUSES, "Something_New"])
def test_a_status_is_said_in_every_style(portal, status):
    """As text and number in JSON, and alone as plain and quoted text, always with HTTP 200."""
    said = {}
    for style in ("text", "number", "plain", "quoted"):
        if style == "number" and status not in STATUSES:
            with pytest.raises(ValueError, match="no number"):
                Fault.status(status, style)
            continue
        portal.heal()
        portal.plan(Fault.status(status, style))
        reply = ask(portal)
        assert (reply.status, portal.calls[-1].status) == (200, status)
        said[style] = reply.body
    assert json.loads(said["text"]) == {"Status": status, "Data": []}
    if status in STATUSES:
        assert json.loads(said["number"])["Status"] == STATUSES[status]
    assert said["plain"] == status.encode()
    assert said["quoted"] == f'"{status}"'.encode()


def test_the_data_of_a_status_may_be_anything():
    """A failure's data may be a list, an object, null, or not be there."""
    said = [json.loads(Fault.status(7, data=data).change(None).read()) for data in ([], {}, None)]
    assert said == [{"Status": 7, "Data": []}, {"Status": 7, "Data": {}}, {"Status": 7}]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 429, 500, 502, 503, 504, 599])
def test_http_errors_are_pages(portal, code):
    """An HTTP error comes with its code, a page for people, and no `Retry-After` unless asked for."""
    portal.plan(Fault.http(code))
    reply = ask(portal)
    assert reply.status == code
    assert reply.body.startswith(b"<!DOCTYPE html>")
    assert reply.getheader("Retry-After") is None
    assert portal.calls[-1].status == f"HTTP {code}"


def test_retry_after_is_seconds_or_a_date(portal):
    """`Retry-After` may be seconds, a date or any text; a rate limit may be told by other headers."""
    moment = datetime(2026, 11, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=30)
    for value, header in (
        (7, "7"),
        (0.5, "0.5"),
        (moment, "Sun, 01 Nov 2026 12:00:30 GMT"),
        ("soon", "soon"),
    ):
        portal.heal()
        portal.plan(Fault.http(429, retry_after=value))
        assert ask(portal).getheader("Retry-After") == header
    portal.heal()
    portal.plan(Fault.rate_limit(3, limit=10))
    reply = ask(portal)
    assert reply.status == 429
    assert (reply.getheader("X-RateLimit-Limit"), reply.getheader("X-RateLimit-Reset")) == ("10", "3")
    portal.heal()
    portal.plan(Fault.header(X_RateLimit_Remaining="0"))
    reply = ask(portal)
    assert (reply.status, reply.getheader("X-RateLimit-Remaining")) == (200, "0")


@pytest.mark.parametrize("where", ["before", "in"])
def test_a_reset_breaks_the_connection(portal, where):
    """A reset before or in the body is an error of the connection, told as such."""
    portal.plan(Fault.reset(where))
    with pytest.raises(ConnectionResetError):
        ask(portal)
    assert portal.calls[-1].status == f"reset-{where}"


def test_a_reset_after_the_body_loses_nothing_but_the_connection():
    """A body of megabytes arrives whole; then the connection meets the reset."""
    body = b'{"Status":"Success","Data":[]}'.ljust(1_500_000)
    headers = {"Authorization": DEMO_TOKEN}
    with Portal(AddressBook()) as portal:
        portal.plan(Fault.raw(body))
        portal.plan(Fault.reset("after"))
        connection = http.client.HTTPConnection(portal.url.split("/")[2], timeout=30)
        connection.request("POST", "/rest/ContactList", "ContactGroupID=0", headers)
        # Not reading for a moment leaves most of the body in the portal's send buffer, which a reset empties.
        threading.Event().wait(0.1)
        assert connection.getresponse().read() == body
        with pytest.raises(ConnectionResetError):
            connection.sock.recv(1)
        connection.close()


def test_a_cut_body_is_short_of_its_length(portal):
    """A body cut short of its `Content-Length` or its last chunk is incomplete; one without either looks whole."""
    whole = len(ask(portal).body)
    for framing in ("length", "chunked"):
        portal.heal()
        portal.plan(Fault.cut(0.25, framing))
        with pytest.raises(http.client.IncompleteRead) as error:
            ask(portal)
        assert len(error.value.partial) == whole // 4
    portal.heal()
    portal.plan(Fault.cut(0.25, "close"))
    assert len(ask(portal).body) == whole // 4


def test_a_wrong_length_is_too_large_or_too_small(portal):
    """A `Content-Length` that is too large leaves the client waiting in vain, one too small cuts the JSON."""
    whole = ask(portal).body
    portal.plan(Fault.wrong_length(10))
    with pytest.raises(http.client.IncompleteRead) as error:
        ask(portal)
    assert error.value.partial == whole
    portal.heal()
    portal.plan(Fault.wrong_length(-10))
    assert ask(portal).body == whole[:-10]


def test_slow_and_late_answers_take_their_time(portal):
    """A slow body and a late first byte are right in the end, and take as long as planned."""
    want = healthy(portal)
    for fault in (Fault.slow(0.1), Fault.late(0.1)):
        portal.heal()
        portal.plan(fault)
        start = time.monotonic()
        assert json.loads(ask(portal).body) == want
        assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize("where", ["before", "in"])
def test_a_hang_lasts_until_the_client_gives_up(portal, where):
    """A hanging portal says nothing, or half, and then nothing."""
    portal.plan(Fault.hang(where))
    with pytest.raises(TimeoutError):
        ask(portal, timeout=0.1)


def test_pages_and_nothing(portal):
    """A page for people and an empty body come with HTTP 200."""
    portal.plan(Fault.html())
    reply = ask(portal)
    assert (reply.status, reply.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
    assert reply.body.startswith(b"<!DOCTYPE html>")
    portal.heal()
    portal.plan(Fault.empty())
    assert ask(portal).body == b""


def test_gzip_may_end_early(portal):
    """A cut gzip stream is complete HTTP, and only its end is missing."""
    portal.plan(Fault.gzip_cut())
    reply = ask(portal, **{"Accept-Encoding": "gzip"})
    assert reply.getheader("Content-Encoding") == "gzip"
    with pytest.raises(EOFError):
        gzip.decompress(reply.body)


def test_a_redirect_points_elsewhere(portal):
    """A redirect names another host."""
    portal.plan(Fault.redirect(code=307))
    reply = ask(portal)
    assert (reply.status, reply.getheader("Location")) == (307, "http://elsewhere.invalid/rest/")


@pytest.mark.parametrize("shape", SHAPES)
def test_other_shapes_are_json_that_no_document_names(portal, shape):
    """Each shape is valid JSON, and none is a success with a list of records."""
    portal.plan(Fault.shape(shape))
    body = json.loads(ask(portal).body)
    right = isinstance(body, dict) and body.get("Status") == "Success" and isinstance(body.get("Data"), list)
    assert not right or not all(isinstance(record, dict) for record in body["Data"])


def test_odd_records_stand_beside_good_ones(portal):
    """Repeated records, one without a usable ID, one that is no record, and fields that no document names."""
    good = healthy(portal)["Data"]

    def data(fault):
        portal.heal()
        portal.plan(fault)
        return json.loads(ask(portal).body)["Data"]

    assert data(Fault.repeat(2)) == [*good, *good[:2]]
    assert data(Fault.no_id("x")) == [*good, {**good[0], "ID": "x"}]
    assert "ID" not in data(Fault.no_id(missing=True))[-1]
    assert data(Fault.odd_record([1])) == [*good, [1]]
    assert data(Fault.fields(Notes=1)) == [{**record, "Notes": 1} for record in good]
    portal.heal()
    portal.plan(Fault.fields(Notes=1))
    one = json.loads(ask(portal, "ContactGet", "ContactID=100001").body)
    assert one["Data"]["Notes"] == 1


@pytest.mark.parametrize("group", [0, 77])
def test_deep_and_huge_values_are_valid_json(portal, group):
    """The last record holds lists nested deep, or a text as long as asked for, also where there was no record."""
    fields = f"ContactGroupID={group}"
    portal.plan(Fault.raw(b'{"Status":"Success","Data":[]}'), group=77)
    portal.plan(Fault.deep(100))
    value = json.loads(ask(portal, fields=fields).body)["Data"][-1]["Notes"]
    for _ in range(99):
        (value,) = value
    assert value == []
    portal.heal()
    portal.plan(Fault.raw(b'{"Status":"Success","Data":[]}'), group=77)
    portal.plan(Fault.huge(3_000_001, "CustomText1x"))
    assert len(json.loads(ask(portal, fields=fields).body)["Data"][-1]["CustomText1x"]) == 3_000_001
    portal.heal()
    portal.plan(Fault.deep(10))
    assert json.loads(ask(portal, "ContactGet", "ContactID=100001").body)["Data"]["Notes"]


def test_other_ways_to_write_the_same_json(portal):
    """A byte order mark, another key order, spaces and escapes change the bytes and not the meaning."""
    want = healthy(portal)
    plain = ask(portal).body
    for fault in (Fault.bom(), Fault.key_order(), Fault.pretty(), Fault.escaped()):
        portal.heal()
        portal.plan(fault)
        body = ask(portal).body
        assert body != plain
        assert json.loads(body.decode("utf-8-sig")) == want
        if fault.name == "bom":
            assert body == b"\xef\xbb\xbf" + plain
        if fault.name == "escaped":
            assert body.isascii()
        if fault.name == "key-order":
            assert list(json.loads(body)["Data"][0])[-1] == "ID"


def test_a_raw_body_is_sent_byte_by_byte(portal):
    """Bytes, or a function's blocks, are sent as they are, again for each call."""
    portal.plan(Fault.raw(b"\xff\x00"), calls=[1])
    portal.plan(Fault.raw(lambda: iter([b"ab", b"", b"c"])), calls=range(2, 4))
    assert [ask(portal).body for _ in range(3)] == [b"\xff\x00", b"abc", b"abc"]


def test_a_fault_is_for_the_calls_it_names(portal):
    """By number, by count, by method, by group, by contact; the plan counts what it saw and did."""
    second = portal.plan(Fault.http(500), "ContactList", calls=[2])
    twice = portal.plan(Fault.http(501), "ContactGet", times=2)
    group = portal.plan(Fault.http(502), group=2001)
    contact = portal.plan(Fault.http(503), contact=100_005)
    assert [ask(portal).status for _ in range(3)] == [200, 500, 200]
    assert [ask(portal, "ContactGet", "ContactID=100001").status for _ in range(3)] == [501, 501, 200]
    assert ask(portal, fields="ContactGroupID=2001").status == 502
    assert ask(portal, "ContactGet", "ContactID=100005").status == 503
    assert [(plan.seen, plan.done) for plan in (second, twice, group, contact)] == [
        (4, 1),
        (4, 2),
        (1, 1),
        (1, 1),
    ]
    with pytest.raises(ValueError, match="not both"):
        portal.plan(Fault.html(), calls=[1], times=1)
    with pytest.raises(ValueError, match="ContactSet"):
        portal.plan(Fault.html(), "ContactSet")


def test_the_world_may_move_in_mid_run(portal):
    """Something may be done just before an answer is made, which then shows it."""
    book = AddressBook.invent(contacts=5, labels=2)
    with Portal(book) as own:
        own.plan(Fault.meanwhile(lambda: book.drop_group(2001)), "ContactList", calls=[1])
        own.plan(Fault.meanwhile(lambda: own.revoke(DEMO_TOKEN)), "ContactList", calls=[2])
        first, second = (json.loads(ask(own, fields="ContactGroupID=2001").body)["Status"] for _ in range(2))
    assert (first, second) == ("ContactGroupID_Invalid", "Token_Invalid")


def test_every_word_of_the_grammar_is_a_fault(portal):
    """Each word, with its default or a value, makes a fault of that name that a portal can play."""
    for word, (help_, value, _, default) in WORDS.items():
        text = f"*:*:{word}" if default is not None or not value else f"*:*:{word}=Failed"
        if word in {"late", "slow", "deep", "huge"}:
            text = f"*:*:{word}=" + {"deep": "5", "huge": "1"}.get(word, "0.01")
        planned = parse_fault(text)
        assert planned.fault.name == ("http-429" if word == "rate-limit" else word)
        assert (planned.method, planned.calls) == (None, None)
        assert help_
        portal.heal()
        portal.obey(planned)
        try:
            ask(portal, timeout=1 if word.startswith("hang") else 30)
        except (OSError, http.client.HTTPException):
            assert word.startswith(("hang", "reset", "cut", "longer"))
        assert planned.done == 1, word


@pytest.mark.parametrize(
    ("text", "method", "fields", "calls"),
    [
        ("ContactList:2:html", "ContactList", {}, {2}),
        ("contactlist(-1):1-3:html", "ContactList", {"ContactGroupID": "-1"}, {1, 2, 3}),
        ("ContactGet(7):1,3,5-6:HTML", "ContactGet", {"ContactID": "7"}, {1, 3, 5, 6}),
        ("*:9-:html", None, {}, {9, 10, 11, 12}),
        (" ContactListUpdates : * : html ", "ContactListUpdates", {}, set(range(1, 13))),
    ],
)
def test_the_text_form_says_which_calls(text, method, fields, calls):
    """Methods, IDs in brackets, numbers, ranges and open ranges are read."""
    planned = parse_fault(text)
    assert (planned.fault.name, planned.method, planned.fields) == ("html", method, fields)
    assert {n for n in range(1, 13) if planned.calls is None or n in planned.calls} == calls


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ContactList:html", "METHOD:CALLS:FAULT"),
        ("ContctList:1:html", "'ContactList'"),
        ("ContactList:1:htm", "'html'"),
        ("ContactList:1:http-53", "'http-5"),
        ("ContactList[1]:1:html", "in brackets"),
        ("ContactList:0:html", "no calls '0'"),
        ("ContactList:x:html", "no calls 'x'"),
        ("ContactList:3-2:html", "empty"),
        ("ContactList:1 2:html", "no calls"),
        ("ContactList:1:html=3", "takes no value"),
        ("ContactList:1:status", "status=STATUS"),
        ("ContactList:1:status-number=New", "New has no number"),
        ("ContactList:1:cut=x", "cut=x"),
        ("ContactList:1:longer=0", "above 0"),
        ("ContactList:1:http-503=soon", "http-503=soon"),
    ],
)
def test_what_cannot_be_read_names_the_way_out(text, says):
    """A wrong text is a settings error that quotes it and names the nearest word or the right form."""
    with pytest.raises(SettingsError, match=r"^--fault ") as error:
        parse_fault(text)
    assert says in str(error.value)
    assert error.value.subject == "--fault"


def test_a_client_that_goes_away_does_not_trouble_the_portal(portal):
    """A client that closes in the middle of a body leaves the portal serving."""
    portal.plan(Fault.slow(0.05), calls=[1])
    host, port = portal.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), 30) as client:
        head = f"POST /rest/ContactList HTTP/1.1\r\nAuthorization: {DEMO_TOKEN}\r\nContent-Length: 16\r\n\r\n"
        client.sendall(head.encode() + b"ContactGroupID=0")
        client.recv(100)
    assert len(json.loads(ask(portal).body)["Data"]) == 30
