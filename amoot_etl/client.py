"""The only module that speaks HTTP: session, token, timeouts, retries, limits, redaction.

Every method of the portal is a form-encoded POST with the raw token in `Authorization`. The portal answers
HTTP 200 even for errors, so an answer counts only when its `Status` says `Success`; `judge` turns every other
status into one class of `amoot_etl.errors`. A redirect is never followed (the token would travel with it) and
a certificate is always checked.

Nothing here waits for ever: a try has a timeout, a call a number of tries, a run a sum of waits and, if wished,
a deadline; and `cancel` ends everything at once, a connection that hangs too.
"""

from __future__ import annotations

import email.utils
import logging
import re
import socket
import threading
import time
import weakref
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
import urllib3.connection
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from amoot_etl import errors
from amoot_etl._version import __version__
from amoot_etl.statuses import judge, shown, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amoot_etl.settings import Settings

__all__ = ["Client", "Probe", "Receiver", "judge", "shown", "unexpected"]

_log = logging.getLogger("amoot_etl.client")

_CONNECT_TIMEOUT: Final = 10.0
_BLOCK: Final = 1 << 20
_SMALL_ANSWER: Final = 64 << 20
_PROBED: Final = 1 << 16
_LONGEST_WAIT: Final = 60.0
"""Back-off stops doubling here: a portal that is down for minutes is asked once a minute."""
_LONGEST_OBEYED: Final = 300.0
"""A portal that asks to be left alone for longer has ended this run; the message says for how long."""
_LONGEST_IN_ALL: Final = 3600.0
"""Seconds that one run waits between tries in all; a portal that needs more is not well enough to be listed."""
_CANCELLED: Final = "cancelled"
_DEADLINE: Final = "deadline"
_TOO_LARGE: Final = "too large"
_FINAL: Final = frozenset({_CANCELLED, _DEADLINE, _TOO_LARGE})
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
        SettingsError: There is no token.

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
        self._end = _End(settings.deadline)
        self._gate = _Gate(settings.max_rps, self._end)
        self._patience = _Patience()
        self._auth = _Token(settings.token)
        parts = urlsplit(settings.base_url)
        self._session = requests.Session()
        # A proxy of the environment cannot reach this machine's own loopback.
        self._session.trust_env = not settings.on_loopback
        self._session.headers["User-Agent"] = f"amoot-etl/{__version__}"
        self._session.headers["Accept"] = "application/json"
        self._session.headers["Accept-Encoding"] = "identity" if settings.on_loopback else "gzip"
        self._session.mount(f"{parts.scheme}://", _Wire(self._end, settings.concurrency))
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
        self._session.close()

    def cancel(self) -> None:
        """End every wait and every transfer at once, and let no new attempt begin."""
        self._end.come(_CANCELLED)

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
            with self._post(method, fields) as response:
                seconds = time.monotonic() - started
                date = _moment(response.headers.get("Date", ""))
                _check_http(method, response)
                for block in response.raw.stream(_PROBED, decode_content=True):
                    head += block
                    if len(head) >= _PROBED:
                        break
        except _NETWORK as error:
            raise _unreachable(method, error) from error
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

        def stop(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            most = tries or self.settings.retries + 1
            if (
                twice_at_most
                and isinstance(error, errors.PortalUnavailable)
                and error.status == twice_at_most
            ):
                most = min(most, 2)
            wait = state.upcoming_sleep
            return (
                state.attempt_number >= most or self._end.comes_within(wait) or not self._patience.has(wait)
            )

        retrying = tenacity.Retrying(
            sleep=self._end.wait,
            stop=stop,
            wait=self._pause,
            retry=tenacity.retry_if_exception(_passes),
            before_sleep=lambda state: self._tell(method, state),
            reraise=True,
        )
        result: _T = retrying(self._attempt, method, receive, fields)
        return result

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
            with self._post(method, fields) as response:
                self._gate.heed(response)
                _check_http(method, response)
                told = response.headers.get("Content-Length", "")
                if cap is not None and told.isdecimal() and int(told) > cap:
                    raise _too_large(method, cap)
                for block in response.raw.stream(_BLOCK, decode_content=True):
                    received += len(block)
                    if cap is not None and received > cap:
                        raise _too_large(method, cap)
                    yield block
                    self._end.check(method)
        except _NETWORK as error:
            self._end.check(method)
            raise _unreachable(method, error) from error

    def _post(self, method: str, fields: dict[str, int]) -> requests.Response:
        return self._session.post(
            f"{self.settings.base_url}/{method}",
            data=fields,
            auth=self._auth,
            stream=True,
            allow_redirects=False,
            timeout=(_CONNECT_TIMEOUT, self.settings.timeout),
        )

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """Say how long to wait: what the portal asked for, else doubling with half of it by chance."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, errors.PortalUnavailable) else None
        longest = max(self.settings.backoff, _LONGEST_WAIT)
        own = tenacity.wait_exponential(multiplier=self.settings.backoff, max=longest)(state)
        pause = own / 2 + tenacity.wait_random(0, own / 2)(state) if own else 0.0
        return pause if asked is None else max(pause, float(asked))

    def _tell(self, method: str, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        self._patience.spend(seconds)
        told = {"event": "retry", "method": method, "seconds": round(seconds, 1)}
        _log.info("%s; trying again in %.1f s", error, seconds, extra=told)
        if self._on_retry:
            self._on_retry(method, seconds, str(error))


class _Token(requests.auth.AuthBase):
    """Set the raw token on each request, where neither a netrc file nor a session's repr meets it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._token
        return request


class _End:
    """The end of a run before its time: cancelled, or past its deadline. It wakes whoever waits, also a transfer."""

    def __init__(self, deadline: float | None) -> None:
        self._came = threading.Event()
        self._why = _CANCELLED
        self._seconds = deadline
        self._at = None if deadline is None else time.monotonic() + deadline
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        if deadline is not None:
            self._timer = threading.Timer(deadline, self.come, [_DEADLINE])
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        """Forget the deadline."""
        if self._timer:
            self._timer.cancel()

    def come(self, why: str) -> None:
        """End everything."""
        with self._lock:
            if not self._came.is_set():
                self._why = why
            self._came.set()
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)

    def check(self, method: str) -> None:
        """Raise if the end has come.

        Raises:
            PortalUnavailable: It has; never tried again.
        """
        if not self._came.is_set():
            return
        what = (
            f"not done within the deadline of {self._seconds:g} s: give more with --deadline, or try again later"
            if self._why == _DEADLINE
            else _CANCELLED
        )
        raise errors.PortalUnavailable(f"{method}: {what}", subject=method, status=self._why)

    def comes_within(self, seconds: float) -> bool:
        """Say whether waiting so long would be in vain."""
        return self._came.is_set() or (self._at is not None and time.monotonic() + seconds >= self._at)

    def wait(self, seconds: float) -> None:
        """Wait, but not past the end."""
        self._came.wait(seconds)

    def watch(self, connected: socket.socket) -> None:
        """Shut a connection when the end comes."""
        with self._lock:
            self._sockets.add(connected)
        if self._came.is_set():
            _shut(connected)


class _Wire(HTTPAdapter):
    """An adapter that tells an `_End` of every connection: a thread that hangs in one can then be woken."""

    def __init__(self, end: _End, connections: int) -> None:
        self._end = end
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watched(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        self._watched(manager)
        return manager

    def _watched(self, manager: urllib3.PoolManager) -> None:
        end = self._end

        class Plain(urllib3.connection.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                end.watch(self.sock)

        class Secure(urllib3.connection.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                end.watch(self.sock)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _shut(connected: socket.socket) -> None:
    try:
        # The plain socket's own: TLS' would first change what the reading thread is using.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
    except OSError:
        return  # closed already


class _Patience:
    """How long a run has waited between tries, in all its threads."""

    def __init__(self) -> None:
        self._left = _LONGEST_IN_ALL
        self._lock = threading.Lock()

    def has(self, seconds: float) -> bool:
        """Say whether there is so much left."""
        return seconds <= self._left

    def spend(self, seconds: float) -> None:
        """Wait for so long."""
        with self._lock:
            self._left -= seconds


class _Gate:
    """What slows every thread together: the wished rate, and what the portal asked of any of them."""

    def __init__(self, max_rps: float | None, end: _End) -> None:
        self._gap = 1 / max_rps if max_rps else 0.0
        self._end = end
        self._lock = threading.Lock()
        self._next = 0.0
        self._shut_until = 0.0

    def wait(self) -> None:
        """Wait for this thread's turn."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._gap
        # What the portal asks of another thread while this one waits holds for it too.
        while not self._end.comes_within(0) and (left := max(turn, self._shut_until) - time.monotonic()) > 0:
            self._end.wait(left)

    def heed(self, response: requests.Response) -> None:
        """Hold everybody back for as long as the answer's headers ask."""
        seconds = _asked_wait(response)
        if seconds:
            with self._lock:
                self._shut_until = max(self._shut_until, time.monotonic() + min(seconds, _LONGEST_OBEYED))


class _Whole:
    """The receiver of an answer small enough for memory."""

    def __init__(self, method: str, accept: Callable[[Any], None] | None) -> None:
        self._method = method
        self._accept = accept
        self._body = bytearray()

    def write(self, block: bytes) -> None:
        self._body += block
        if len(self._body) > _SMALL_ANSWER:
            raise unexpected(self._method, f"a body over {_SMALL_ANSWER >> 20} MiB", status=_TOO_LARGE)

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


_NETWORK: Final = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


def _unreachable(method: str, error: BaseException) -> errors.AmootError:
    """Say in our words why a request failed; a library's own words may hold the URL's credentials."""
    chain = list(_causes(error))
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return errors.PortalUnavailable(
            f"{method}: the portal's certificate was not accepted: check the clock, proxy and base URL",
            subject=method,
            status="TLS",
        )
    if isinstance(error, requests.exceptions.ContentDecodingError | urllib3.exceptions.DecodeError):
        return unexpected(method, "a body whose gzip is broken", status="gzip")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return errors.SettingsError("base_url: this is no http(s) address", subject="base_url")
    if isinstance(error, urllib3.exceptions.ProtocolError) and not any(
        isinstance(cause, OSError) for cause in chain
    ):
        # The connection ended in good order, and the body before its end.
        return unexpected(method, "a body that was cut", status="cut")
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in chain):
        what = "the portal's name is not known"
    elif isinstance(error, requests.exceptions.ConnectTimeout):
        what = "no connection in time"
    elif any(isinstance(cause, requests.Timeout | urllib3.exceptions.TimeoutError) for cause in chain):
        what = "no answer in time"
    elif isinstance(error, requests.exceptions.ProxyError):
        what = "the proxy failed"
    elif any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        what = "the connection was refused"
    else:
        what = "the connection broke"
    return errors.PortalUnavailable(
        f"{method}: {what} ({type(error).__name__}): check the network and the base URL, or try again later",
        subject=method,
        status=what,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it is said to come from, which urllib3 keeps in its arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__]


def _passes(error: BaseException) -> bool:
    """Say whether another try may help."""
    if isinstance(error, errors.PortalUnavailable):
        return error.status not in _FINAL and (error.retry_after or 0) <= _LONGEST_OBEYED
    return (
        isinstance(error, errors.UnexpectedAnswer)
        and not isinstance(error, errors.NotFound)
        and error.status not in _FINAL
    )


def _too_large(method: str, cap: int) -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(
        f"{method}: the portal's answer is larger than {cap / 1e6:,.0f} MB: allow more with --max-body",
        subject=method,
        status=_TOO_LARGE,
    )


def _check_http(method: str, response: requests.Response) -> None:
    """Raise what an HTTP status other than 200 means."""
    number = response.status_code
    if number == HTTPStatus.OK:
        return
    name = f"HTTP {number}"
    if number in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise errors.CredentialsError(
            f"{method}: {name}: renew the token, or allow this IP address and method in the panel",
            subject=method,
            status=name,
        )
    if number in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or number >= 500:
        asked = _asked_wait(response)
        when = f"in {asked:.0f} s" if asked else "later"
        raise errors.PortalUnavailable(
            f"{method}: {name}: the portal is overloaded or in maintenance: try again {when}",
            subject=method,
            status=name,
            retry_after=asked,
        )
    if 300 <= number < 400:
        raise unexpected(method, f"{name}, a redirect, which is never followed", status=name)
    raise unexpected(method, name, status=name)


def _asked_wait(response: requests.Response) -> float | None:
    """Give the seconds that an answer asks to be left alone for, by `Retry-After` or a spent rate limit."""
    asked = response.headers.get("Retry-After")
    if asked is None and response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
        asked = response.headers.get("X-RateLimit-Reset")
    if asked is None:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        moment = _moment(asked)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None
    if seconds != seconds:  # noqa: PLR0124 - not a number, in words that float() knows
        return None
    # A reset may be told as a moment (Unix seconds) as well as a span.
    return max(0.0, seconds - time.time() if seconds > 1e9 else seconds)


def _moment(text: str) -> datetime | None:
    """Read an HTTP date."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
