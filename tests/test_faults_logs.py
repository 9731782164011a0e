"""Logs of runs: kept for the last runs, one object a line, and free of the token and of every contact's data."""

from __future__ import annotations

import json
import logging
import re

import pytest

from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.errors import AmootError
from amoot_etl.pipeline.export import export
from amoot_etl.pipeline.runlog import KEPT, run_log
from amoot_etl.settings import Settings

TOKEN = "planted-token-0123456789"
PLANTED = {
    "Mobile": 9121234567,
    "FName": "Planted-Name",
    "Email": "planted@example.com",
    "CustomText1": "Planted-Text",
}


@pytest.fixture
def portal():
    """A portal whose contacts hold planted values."""
    book = AddressBook.invent(contacts=12, labels=1, dirty=False)
    for contact_id in book:
        book.edit(contact_id, **PLANTED)
    with Portal(book, token=TOKEN) as portal:
        yield portal


def run(portal, out):
    """Export with next to no waits; give the error, if there is one."""
    try:
        export(Settings(base_url=portal.url, token=TOKEN, out=out, retries=1, backoff=0.001))
    except AmootError as error:
        return error
    return None


def lines(out) -> list[dict]:
    """Give every event of every log."""
    logs = sorted((out / ".amoot" / "logs").glob("*.jsonl"))
    return [json.loads(line) for path in logs for line in path.read_text("utf-8").splitlines()]


def test_logs_hold_no_secret_and_no_contact(portal, tmp_path):
    """After good and bad runs of many kinds, no byte of any log is of the token or of a contact."""
    out = tmp_path / "output"
    whole = json.dumps({"Status": "Failed for Planted-Name", "Data": [PLANTED]}).encode()
    faults = [
        None,
        Fault.status("Token_Expired"),
        Fault.http(503),
        Fault.cut(0.5),
        Fault.raw(whole),
        Fault.raw(whole[:-4]),
        Fault.raw(b"Planted-Text 9121234567"),
        Fault.raw(json.dumps({"Status": 9121234567, "Data": []}).encode()),
        Fault.fields(Note="Planted-Text"),
        Fault.odd_record("Planted-Name"),
    ]
    failed = 0
    for fault in faults:
        portal.heal()
        if fault:
            portal.plan(fault, "ContactList")
        failed += run(portal, out) is not None
    assert failed >= 6
    logs = list((out / ".amoot" / "logs").iterdir())
    assert len(logs) == len(faults)
    for path in logs:
        assert path.stat().st_mode & 0o777 == 0o600
        held = path.read_bytes()
        for secret in (TOKEN, *map(str, PLANTED.values())):
            assert secret.encode() not in held
    events = lines(out)
    assert {"began", "landed", "retry", "failed", "done"} <= {event["event"] for event in events}
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", event["run_id"]) for event in events)


def test_a_planted_token_would_be_found_out(tmp_path):
    """What should never be logged, and is, is made unreadable."""
    with run_log(tmp_path, "20261122T000000Z-0000", "export", secrets=[TOKEN]):
        logging.getLogger("amoot_etl.careless").warning("the token is %s", TOKEN)
    text = (tmp_path / "20261122T000000Z-0000.jsonl").read_text()
    assert "the token is ***" in text
    assert TOKEN not in text


def test_a_bug_leaves_frames_and_no_values(tmp_path):
    """An error that is none of ours is logged by its type and where it came from, without its words."""
    with pytest.raises(ZeroDivisionError), run_log(tmp_path, "20261122T000000Z-0000", "export"):
        raise ZeroDivisionError("Planted-Name")
    (last,) = [
        json.loads(line) for line in (tmp_path / "20261122T000000Z-0000.jsonl").read_text().splitlines()
    ][-1:]
    assert (last["event"], last["error"]) == ("failed", "ZeroDivisionError")
    assert any("test_faults_logs.py" in frame for frame in last["frames"])
    assert "Planted-Name" not in json.dumps(last)


def test_so_many_logs_are_kept(tmp_path):
    """Only the newest logs stay."""
    for number in range(KEPT + 3):
        with run_log(tmp_path, f"20261122T0000{number:02}Z-0000", "export"):
            pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == KEPT
    assert names[0] == "20261122T000003Z-0000.jsonl"


def test_others_hear_what_they_heard_before(tmp_path, caplog):
    """While a run is logged, a program's own logging gets no message that it did not ask for."""
    log = logging.getLogger("amoot_etl.test")
    before = logging.getLogger("amoot_etl").level
    with run_log(tmp_path, "20261122T000000Z-0000", "export"):
        log.info("for the file")
        log.warning("for everybody")
    assert caplog.messages == ["for everybody"]
    assert "for the file" in (tmp_path / "20261122T000000Z-0000.jsonl").read_text()
    assert logging.getLogger("amoot_etl").level == before
    assert logging.getLogger("amoot_etl").propagate


def test_runs_that_overlap_leave_the_loggers_as_they_were(tmp_path, caplog):
    """Of two runs in one process the first may end first; what was said meanwhile has no run that can be named."""
    root = logging.getLogger("amoot_etl")
    first, second = (run_log(tmp_path, f"20260101T00000{number}Z-0000", "export") for number in (1, 2))
    before = root.level, root.propagate, list(root.handlers)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    root.info("alone again", extra={"event": "heard"})
    second.__exit__(None, None, None)
    assert (root.level, root.propagate, root.handlers) == before
    said = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in tmp_path.glob("*.jsonl")
    }
    assert [(line["event"], line.get("run_id")) for line in said["20260101T000002Z-0000"]] == [
        ("began", None),
        ("heard", "20260101T000002Z-0000"),
    ]
    assert [line["event"] for line in said["20260101T000001Z-0000"]] == ["began", "began"]
    caplog.clear()
    root.info("not heard")
    root.warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    """Where no log can be written, the run goes on and says so."""
    with run_log(tmp_path / "nowhere", "20261122T000000Z-0000", "export"):
        pass
    assert "no log is written" in caplog.text
