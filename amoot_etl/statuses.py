"""What the portal's answers mean: status codes by name and number, and the error that each one becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from amoot_etl import errors

__all__ = ["CODES", "SUCCESS", "Code", "CodeClass", "code_of", "judge", "shown", "unexpected"]

_STATUS_LENGTH: Final = 64


class CodeClass(Enum):
    """What a code asks of the reader."""

    SUCCESS = "success"
    AGAIN = "try again"
    CREDENTIALS = "credentials"
    ARGUMENT = "bad argument"


@dataclass(frozen=True, slots=True)
class Code:
    """One status code: its name, its number, its class, and the way out."""

    name: str
    number: int
    kind: CodeClass
    way_out: str = ""


def _again(name: str, number: int, way_out: str) -> Code:
    return Code(name, number, CodeClass.AGAIN, way_out)


def _credentials(name: str, number: int, way_out: str) -> Code:
    return Code(name, number, CodeClass.CREDENTIALS, way_out)


SUCCESS: Final = Code("Success", 1, CodeClass.SUCCESS)

CODES: Final = (
    SUCCESS,
    _again("ServerError", 500, "the portal failed: try again later"),
    _again("Failed", 0, "the portal could not do it: try again later"),
    _again("System_Disabled", -300, "the portal is switched off for now: try again later"),
    _credentials("Token_NotExists", -201, "no token arrived: set AMOOT_TOKEN or --token-file"),
    _credentials("Token_Invalid", -202, "the token is not one of the portal's: copy it anew from the panel"),
    _credentials("Token_Disabled", -203, "the token is switched off: switch it on in the panel"),
    _credentials("Token_Expired", -204, "renew the token in the panel"),
    _credentials("Token_NotAllowIP", -207, "allow this IP address for the token in the panel"),
    _credentials("Token_NotAllowMethod", -208, "allow this method for the token in the panel"),
    _credentials("User_NotExists", -1, "the account does not exist: check the token"),
    _credentials("UserName_Empty", 10, "the portal saw no credentials: check the token"),
    _credentials("Password_Empty", 11, "the portal saw no credentials: check the token"),
    _credentials("UserNameOrPassword_Invalid", 100, "the credentials are wrong: check the token"),
    _credentials("User_MobileNotVerified", -102, "verify the account's mobile number in the panel"),
    _credentials("User_Disabled", -103, "the account is switched off: ask the portal's support"),
    _credentials("User_Expired", -104, "the account has expired: renew it in the panel"),
    _credentials(
        "User_WebServiceBanned", -105, "the account's web service is banned: ask the portal's support"
    ),
    _credentials("User_NotAllowWebService", -106, "allow the web service for the account in the panel"),
    _credentials("User_NotAllowIP", -107, "allow this IP address for the account in the panel"),
    _credentials("User_NotAllowMethod", -108, "allow this method for the account in the panel"),
    _credentials("User_NotAllowHttp", -109, "this account needs an https:// base URL"),
    _credentials("AccountIsDemo", 2, "a demo account has no web service: use a full one"),
    Code("ContactID_Invalid", 113, CodeClass.ARGUMENT, "there is no such contact"),
    Code("ContactGroupID_Invalid", 114, CodeClass.ARGUMENT, "there is no such group"),
)

_BY_WORD: Final = {code.name: code for code in CODES} | {str(code.number): code for code in CODES}


def code_of(status: Any) -> Code | None:
    """Find the code of a `Status`, whichever way it was told; None where it is unknown.

    >>> code_of("Token_Expired").number, code_of(-204).name, code_of("500").name
    (-204, 'Token_Expired', 'ServerError')
    >>> code_of("Tea_Time") is None
    True
    """
    if isinstance(status, bool) or not isinstance(status, str | int):
        return None
    word = str(status).strip()
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1]
    return _BY_WORD.get(word)


def shown(method: str, body: bytes) -> Any:
    """Read a small body: JSON, or the bare status code as text.

    Raises:
        UnexpectedAnswer: It is empty, an HTML page, cut, or no text at all.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        if error.end == len(body) and error.reason == "unexpected end of data":
            raise unexpected(method, "a body that was cut", status="cut") from None
        raise unexpected(method, "a body that is no UTF-8 text") from None
    if not text:
        raise unexpected(method, "an empty body")
    if text.startswith("<"):
        raise unexpected(method, "an HTML page")
    try:
        # A line break inside a title is no JSON, but nothing else it could mean: listings are read so, too.
        return json.loads(text, strict=False)
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
    """Make the error of an answer that the portal does not document.

    Args:
        method: The portal's method.
        what: What it answered, in words.
        status: The same as one word, for programs.
    """
    return errors.UnexpectedAnswer(
        f"{method}: the portal answered {what}: check the base URL, or ask the portal's support",
        subject=method,
        status=status,
    )
