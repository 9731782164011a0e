"""The only module that speaks HTTP: session, token, timeouts, retries, limits, redaction.

Every method of the portal is a form-encoded POST with the raw token in `Authorization`. The portal answers
HTTP 200 even for errors, so an answer counts only when its `Status` says `Success`; `judge` turns every other
status into one class of `amoot_etl.errors`. A redirect is never followed (the token would travel with it) and
a certificate is always checked.

Nothing here waits for ever: a try has a timeout, a call a number of tries, a run a sum of waits and, if wished,
a deadline; and `cancel` ends everything at once, a connection that hangs too.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from amoot_etl import errors
from amoot_etl.client.answers import CANCELLED, TOO_LARGE, check_http, passes, read_moment, too_large
from amoot_etl.client.failures import NETWORK, unreachable
from amoot_etl.client.limits import End, Gate, Patience, back_off
from amoot_etl.client.wire import Wire
from amoot_etl.statuses import judge, shown, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from amoot_etl.settings import Settings

__all__ = ["Client", "Probe", "Receiver", "judge", "shown", "unexpected"]

_log = logging.getLogger("amoot_etl.client")

_BLOCK: Final = 1 << 20
_SMALL_ANSWER: Final = 64 << 20
_PROBED: Final = 1 << 16
_STATUS: Final = re.compile(r'"Status"\s*:\s*("(?:[^"\\]|\\.){0,100}"|-?\d{1,9})')

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Receiver(Protocol[_T_co]):
    """What takes a big body in, block by block. Each attempt gets a new one."""

    def write(self, block: bytes, /) -> None:
        """Take the next bytes of the body."""

    def finish(self) -> _T_co:
        """Say what the body was, or raise what was wrong with it."""

    def abandon(self) -> None:
        """Forget what was taken: this attempt failed."""


class Probe(NamedTuple):
    """What one look at a method showed."""

    seconds: float
    """From the request to the answer's first byte, connecting included."""
    date: datetime | None
    """The portal's clock, if it told it."""


class Client:
    """A pooled, retrying connection to one portal. Threads may share it.

    Args:
        settings: Base URL, token, retries, back-off, timeout, concurrency and limits. The deadline counts from
            here.
        on_retry: Called before each wait with the method, the seconds and the reason.

    Raises:
        SettingsError: There is no token, or what the environment says of proxies and certificates cannot be.

    >>> from amoot_etl.demo import AddressBook, Portal
    >>> from amoot_etl.settings import Settings
    >>> with Portal(AddressBook.invent(contacts=3), token="t") as portal:
    ...     with Client(Settings(base_url=portal.url, token="t")) as client:
    ...         client.call("ContactGroupList")[0]["ContactsCount"] >= 0
    True
    """

    def __init__(
        self, settings: Settings, *, on_retry: Callable[[str, float, str], None] | None = None
    ) -> None:
        settings.need_token()
        self.settings = settings
        self._on_retry = on_retry
        self._end = End(settings.deadline)
        self._gate = Gate(settings.max_rps, self._end)
        self._patience = Patience()
        self._wire = Wire(settings, self._end)
        parts = urlsplit(settings.base_url)
        if parts.scheme == "http" and not settings.on_loopback:
            _log.warning(
                "%s is not encrypted: the token and the contacts can be read on the way", parts.netloc
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._end.disarm()
        self._wire.close()

    def cancel(self) -> None:
        """End every wait and every transfer at once, and let no new attempt begin."""
        self._end.come(CANCELLED)

    def call(self, method: str, *, accept: Callable[[Any], None] | None = None, **fields: int) -> Any:
        """Ask for something small and give its `Data`.

        Args:
            method: A method of the portal, for example `ContactGet`.
            accept: Looks at `Data` and raises `unexpected` where it has another shape; it is then asked for again.
            fields: Its form fields.

        Returns:
            `Data` as Python objects.

        Raises:
            CredentialsError: The portal refused the token, this address or this method.
            NotFound: There is no such contact or group.
            PortalUnavailable: It kept failing, or could not be reached.
            UnexpectedAnswer: It kept answering something else.
        """
        return self._tried(method, lambda: _Whole(method, accept), fields)

    def download(
        self,
        method: str,
        receive: Callable[[], Receiver[_T]],
        *,
        tries: int | None = None,
        twice_at_most: str = "",
        **fields: int,
    ) -> _T:
        """Ask for something big and hand its body to a receiver as it comes.

        Args:
            method: A method of the portal.
            receive: Makes the receiver of one attempt.
            tries: Attempts at most, where fewer than the settings allow are wanted.
            twice_at_most: A status that is worth one more try and no others.
            fields: Its form fields.

        Returns:
            What the receiver of the attempt that succeeded made of the body.

        Raises:
            OutputError: The receiver could not put the body on disk.
            CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer: As `call`.
        """
        return self._tried(method, receive, fields, tries=tries, twice_at_most=twice_at_most)

    def probe(self, method: str, **fields: int) -> Probe:
        """Look at a method's answer once, without retries and without reading more than its beginning.

        Raises:
            CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer: As `call`.
        """
        self._end.check(method)
        started = time.monotonic()
        head = bytearray()
        try:
            with self._wire.post(method, fields) as response:
                seconds = time.monotonic() - started
                date = read_moment(response.headers.get("Date", ""))
                check_http(method, response)
                for block in response.stream(_PROBED, decode_content=True):
                    head += block
                    if len(head) >= _PROBED:
                        break
        except NETWORK as error:
            raise unreachable(method, error) from error
        told = _STATUS.search(head.decode("utf-8", "replace"))
        if told and len(head) >= _PROBED:
            judge(method, told[1])
        elif len(head) < _PROBED:
            answer = shown(method, bytes(head))
            judge(method, answer.get("Status") if isinstance(answer, dict) else answer)
        return Probe(seconds, date)

    def _tried(
        self,
        method: str,
        receive: Callable[[], Receiver[_T]],
        fields: dict[str, int],
        *,
        tries: int | None = None,
        twice_at_most: str = "",
    ) -> _T:
        """Try until it works, is hopeless, or has been tried for long enough."""
        most = tries or self.settings.retries + 1
        tried = 0
        while True:
            tried += 1
            try:
                return self._attempt(method, receive, fields)
            except (errors.PortalUnavailable, errors.UnexpectedAnswer) as error:
                twice = bool(twice_at_most) and error.status == twice_at_most
                enough = min(most, 2) if twice else most
                pause = back_off(tried, self.settings.backoff, error.retry_after)
                if (
                    tried >= enough
                    or not passes(error)
                    or self._end.comes_within(pause)
                    or not self._patience.spend(pause)
                ):
                    raise
                if isinstance(error, errors.UnexpectedAnswer):
                    self._wire.start_anew()
                # Without the way out, which is the reader's only when nobody tries again.
                reason = str(error).rpartition(": ")[0]
            told = {"event": "retry", "method": method, "seconds": round(pause, 1)}
            _log.info("%s; trying again in %.1f s", reason, pause, extra=told)
            if self._on_retry:
                self._on_retry(method, pause, reason)
            self._end.wait(pause)

    def _attempt(self, method: str, receive: Callable[[], Receiver[_T]], fields: dict[str, int]) -> _T:
        self._gate.wait()
        self._end.check(method)
        receiver = receive()
        try:
            for block in self._blocks(method, fields):
                receiver.write(block)
            return receiver.finish()
        except BaseException as error:
            receiver.abandon()
            # What the network never raises here (`_blocks` has its own words for that) is the disk's.
            if isinstance(error, OSError):
                raise errors.OutputError(
                    f"{method}: the body could not be put on disk ({error.strerror}): make room in the output folder",
                    subject=str(error.filename or method),
                ) from error
            raise

    def _blocks(self, method: str, fields: dict[str, int]) -> Iterator[bytes]:
        """Give the answer's body, unpacked, as it comes; a body shorter than it said raises."""
        received, cap = 0, self.settings.max_body
        try:
            with self._wire.post(method, fields) as response:
                self._gate.heed(response)
                check_http(method, response)
                told = response.headers.get("Content-Length", "")
                if cap is not None and told.isdecimal() and int(told) > cap:
                    raise too_large(method, cap)
                for block in response.stream(_BLOCK, decode_content=True):
                    received += len(block)
                    if cap is not None and received > cap:
                        raise too_large(method, cap)
                    yield block
                    self._end.check(method)
        except NETWORK as error:
            self._end.check(method)
            raise unreachable(method, error) from error


class _Whole:
    """The receiver of an answer small enough for memory."""

    def __init__(self, method: str, accept: Callable[[Any], None] | None) -> None:
        self._method = method
        self._accept = accept
        self._body = bytearray()

    def write(self, block: bytes) -> None:
        self._body += block
        if len(self._body) > _SMALL_ANSWER:
            raise unexpected(self._method, f"a body over {_SMALL_ANSWER >> 20} MiB", status=TOO_LARGE)

    def finish(self) -> Any:
        answer = shown(self._method, bytes(self._body))
        if not isinstance(answer, dict) or "Status" not in answer:
            judge(self._method, answer)
            raise unexpected(self._method, "a bare Success without Data")
        judge(self._method, answer["Status"])
        if "Data" not in answer:
            raise unexpected(self._method, "Success without Data")
        if self._accept:
            self._accept(answer["Data"])
        return answer["Data"]

    def abandon(self) -> None:
        self._body.clear()
