"""What can go wrong, grouped by what the reader should do next.

```
AmootError
├── SettingsError          change the call or the settings
├── CredentialsError       renew the token, or allow this IP or this method
├── PortalUnavailable      wait, and run again
├── UnexpectedAnswer       the portal answered what it does not document
│   └── NotFound           the portal does not know this contact or group
├── VerificationError      a published set is not what its manifest says
├── OutputError            make room, give rights, close the file
│   └── OutputLocked       another run holds the folder
└── RefusedError           look at the result before it replaces a good one
```

Every error names its subject, and none of them ever holds a token or a contact's data. The command line
turns each class into an exit code; nothing else does.
"""

from __future__ import annotations

__all__ = [
    "AmootError",
    "CredentialsError",
    "NotFound",
    "OutputError",
    "OutputLocked",
    "PortalUnavailable",
    "RefusedError",
    "SettingsError",
    "UnexpectedAnswer",
    "VerificationError",
]


class AmootError(Exception):
    """Anything that amoot-etl raises on purpose.

    Args:
        message: What happened, to which thing, and the way out, in one line.
        subject: The thing itself: a setting, a portal method, a path, a generation.
    """

    def __init__(self, message: str, *, subject: str = "") -> None:
        super().__init__(message)
        self.subject = subject


class SettingsError(AmootError):
    """The call or the settings need changing; `subject` is the setting."""


class _PortalError(AmootError):
    """The portal said no; `subject` is the method, `status` what it said (a code, or `HTTP 503`)."""

    def __init__(
        self, message: str, *, subject: str = "", status: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, subject=subject)
        self.status = status
        self.retry_after = retry_after
        """Seconds that the portal asked to be left alone for, if it did."""


class CredentialsError(_PortalError):
    """The portal refused the token, this IP address or this method. Never retried."""


class PortalUnavailable(_PortalError):  # noqa: N818 - reads as what it is
    """The portal kept failing or could not be reached, after every retry."""


class UnexpectedAnswer(_PortalError):  # noqa: N818
    """The portal answered something it does not document, after every retry."""


class NotFound(UnexpectedAnswer):
    """The portal says that there is no such contact, or no such group."""


class VerificationError(AmootError):
    """A published set failed a check; `subject` is the file or the table."""


class OutputError(AmootError):
    """The output could not be written; `subject` is the path."""


class OutputLocked(OutputError):  # noqa: N818
    """Another run holds the output folder."""


class RefusedError(AmootError):
    """The result is incomplete, or would drop far more contacts than is plausible."""
