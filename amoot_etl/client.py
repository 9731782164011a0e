"""The only module that speaks HTTP: session, token, timeouts, retries, statuses, redaction.

Every method of the portal is a form-encoded POST with the raw token in `Authorization`. The portal answers
HTTP 200 even for errors, so an answer counts only when its `Status` says `Success`; `judge` turns every other
status into one class of `amoot_etl.errors`. A redirect is never followed (the token would travel with it) and
a certificate is always checked.
"""

from __future__ import annotations

import email.utils
import json
import logging
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from amoot_etl import errors
from amoot_etl._version import __version__
from amoot_etl.statuses import SUCCESS, CodeClass, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amoot_etl.settings import Settings

__all__ = ["Client", "Receiver", "judge", "shown", "unexpected"]

_log = logging.getLogger("amoot_etl.client")

_CONNECT_TIMEOUT: Final = 10.0
_BLOCK: Final = 1 << 20
_SMALL_ANSWER: Final = 64 << 20
_LONGEST_WAIT: Final = 60.0
"""Back-off stops doubling here: a portal that is down for minutes is asked once a minute."""
_LONGEST_OBEYED: Final = 300.0
"""A portal that asks to be left alone for longer has ended this run; the message says for how long."""
_STATUS_LENGTH: Final = 64
_CANCELLED: Final = "cancelled"

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


class Client:
    """A pooled, retrying connection to one portal. Threads may share it.

    Args:
        settings: Base URL, token, retries, back-off, timeout and concurrency.
        on_retry: Called before each wait with the method, the seconds and the reason.

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
        self.settings = settings
        self._on_retry = on_retry
        self._cancelled = threading.Event()
        self._gate = _Gate(settings.max_rps, self._cancelled)
        self._auth = _Token(settings.token)
        parts = urlsplit(settings.base_url)
        self._session = requests.Session()
        # A proxy of the environment cannot reach this machine's own loopback.
        self._session.trust_env = not settings.on_loopback
        self._session.headers["User-Agent"] = f"amoot-etl/{__version__}"
        self._session.headers["Accept"] = "application/json"
        self._session.headers["Accept-Encoding"] = "identity" if settings.on_loopback else "gzip"
        self._session.mount(
            f"{parts.scheme}://", HTTPAdapter(pool_maxsize=settings.concurrency, max_retries=0)
        )
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
        self._session.close()

    def cancel(self) -> None:
        """End every wait at once, and let no new attempt begin."""
        self._cancelled.set()

    def call(self, method: str, **fields: int) -> Any:
        """Ask for something small and give its `Data`.

        Args:
            method: A method of the portal, for example `ContactGet`.
            fields: Its form fields.

        Returns:
            `Data` as Python objects.

        Raises:
            CredentialsError: The portal refused the token, this address or this method.
            NotFound: There is no such contact or group.
            PortalUnavailable: It kept failing, or could not be reached.
            UnexpectedAnswer: It kept answering something else.
        """
        return self.download(method, lambda: _Whole(method), **fields)

    def download(
        self, method: str, receive: Callable[[], Receiver[_T]], *, tries: int | None = None, **fields: int
    ) -> _T:
        """Ask for something big and hand its body to a receiver as it comes.

        Args:
            method: A method of the portal.
            receive: Makes the receiver of one attempt.
            tries: Attempts at most, where fewer than the settings allow are wanted.
            fields: Its form fields.

        Returns:
            What the receiver of the attempt that succeeded made of the body.

        Raises:
            CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer: As `call`.
        """
        retrying = tenacity.Retrying(
            sleep=tenacity.sleep_using_event(self._cancelled),
            stop=tenacity.stop_after_attempt(tries or self.settings.retries + 1),
            wait=self._pause,
            retry=tenacity.retry_if_exception(_passes),
            before_sleep=lambda state: self._tell(method, state),
            reraise=True,
        )
        result: _T = retrying(self._attempt, method, receive, fields)
        return result

    def _attempt(self, method: str, receive: Callable[[], Receiver[_T]], fields: dict[str, int]) -> _T:
        self._gate.wait()
        self._check_cancelled(method)
        receiver = receive()
        try:
            with self._post(method, fields) as response:
                self._gate.heed(response)
                _check_http(method, response)
                for block in _blocks(response):
                    receiver.write(block)
                    self._check_cancelled(method)
            return receiver.finish()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            receiver.abandon()
            raise _unreachable(method, error) from error
        except BaseException:
            receiver.abandon()
            raise

    def _check_cancelled(self, method: str) -> None:
        if self._cancelled.is_set():
            raise errors.PortalUnavailable(f"{method}: cancelled", subject=method, status=_CANCELLED)

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
        _log.info("trying again in %.1f s: %s", seconds, error)
        if self._on_retry:
            self._on_retry(method, seconds, str(error))


class _Token(requests.auth.AuthBase):
    """Set the raw token on each request, where neither a netrc file nor a session's repr meets it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._token
        return request


class _Gate:
    """What slows every thread together: the wished rate, and what the portal asked of any of them."""

    def __init__(self, max_rps: float | None, cancelled: threading.Event) -> None:
        self._gap = 1 / max_rps if max_rps else 0.0
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._open_at = 0.0

    def wait(self) -> None:
        """Wait for this thread's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._open_at)
            self._open_at = turn + self._gap
        if turn > now:
            self._cancelled.wait(turn - now)

    def heed(self, response: requests.Response) -> None:
        """Hold everybody back for as long as the answer's headers ask."""
        seconds = _asked_wait(response)
        if seconds:
            with self._lock:
                self._open_at = max(self._open_at, time.monotonic() + min(seconds, _LONGEST_WAIT))


class _Whole:
    """The receiver of an answer small enough for memory."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._body = bytearray()

    def write(self, block: bytes) -> None:
        self._body += block
        if len(self._body) > _SMALL_ANSWER:
            raise unexpected(self._method, f"a body over {_SMALL_ANSWER >> 20} MiB")

    def finish(self) -> Any:
        answer = shown(self._method, bytes(self._body))
        if not isinstance(answer, dict) or "Status" not in answer:
            judge(self._method, answer)
            raise unexpected(self._method, "a bare Success without Data")
        judge(self._method, answer["Status"])
        if "Data" not in answer:
            raise unexpected(self._method, "Success without Data")
        return answer["Data"]

    def abandon(self) -> None:
        self._body.clear()


def shown(method: str, body: bytes) -> Any:
    """Read a small body: JSON, or the bare status code as text.

    Raises:
        UnexpectedAnswer: It is empty, an HTML page, cut, or no text at all.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise unexpected(method, "a body that is no UTF-8 text") from None
    if not text:
        raise unexpected(method, "an empty body")
    if text.startswith("<"):
        raise unexpected(method, "an HTML page")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text[0] in '{["':
            raise unexpected(method, "a body that is cut or no JSON") from None
        return text


def judge(method: str, status: Any) -> None:
    """Accept `Success`, in words or as its number, and raise what any other status means.

    Raises:
        CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer: By the class of the code.

    >>> judge("ContactList", "Success")
    >>> judge("ContactList", -204)
    Traceback (most recent call last):
    amoot_etl.errors.CredentialsError: ContactList: Token_Expired (-204): renew the token in the panel
    """
    code = code_of(status)
    if code is SUCCESS:
        return
    if code is None:
        raise unexpected(method, f"the status {_printable(status)}", status=_printable(status))
    message = f"{method}: {code.name} ({code.number}): {code.way_out}"
    match code.kind:
        case CodeClass.CREDENTIALS:
            raise errors.CredentialsError(message, subject=method, status=code.name)
        case CodeClass.ARGUMENT:
            raise errors.NotFound(message, subject=method, status=code.name)
        case _:
            raise errors.PortalUnavailable(message, subject=method, status=code.name)


def _printable(status: Any) -> str:
    """Show a status that we do not know, unless it is so long or odd that it may be data."""
    if isinstance(status, bool | dict | list) or status is None:
        return f"of type {type(status).__name__}"
    text = str(status)
    safe = len(text) <= _STATUS_LENGTH and text.replace("_", "").replace("-", "").isalnum() and text.isascii()
    digits = sum(character.isdigit() for character in text)
    return text if safe and digits < 7 else f"of {len(text)} characters"


def unexpected(method: str, what: str, *, status: str = "") -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(
        f"{method}: the portal answered {what}: check the base URL, or ask the portal's support",
        subject=method,
        status=status,
    )


def _unreachable(method: str, error: Exception) -> errors.AmootError:
    """Say in our words why a request failed; a library's own words may hold the URL's credentials."""
    if isinstance(error, requests.exceptions.SSLError):
        return errors.PortalUnavailable(
            f"{method}: the portal's certificate was not accepted: check the clock, proxy and base URL",
            subject=method,
            status="TLS",
        )
    if isinstance(error, requests.exceptions.ContentDecodingError | urllib3.exceptions.DecodeError):
        return unexpected(method, "a body whose gzip is broken", status="gzip")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return errors.SettingsError("base_url: this is no http(s) address", subject="base_url")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        what = f"no connection within {_CONNECT_TIMEOUT:.0f} s"
    elif isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        what = "no answer in time"
    elif isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.IncompleteRead):
        return unexpected(method, "a body that was cut", status="cut")
    else:
        what = "the connection failed"
    return errors.PortalUnavailable(
        f"{method}: {what} ({type(error).__name__}): check the network and the base URL, or try again later",
        subject=method,
        status=what,
    )


def _passes(error: BaseException) -> bool:
    """Say whether another try may help."""
    if isinstance(error, errors.PortalUnavailable):
        return error.status != _CANCELLED and (error.retry_after or 0) <= _LONGEST_OBEYED
    return isinstance(error, errors.UnexpectedAnswer) and not isinstance(error, errors.NotFound)


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


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Give the body's bytes, unpacked, as they come; a body shorter than it said raises."""
    yield from response.iter_content(_BLOCK)


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
        try:
            return max(0.0, (email.utils.parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None
    # A reset may be told as a moment (Unix seconds) as well as a span.
    return max(0.0, seconds - time.time() if seconds > 1e9 else seconds)
