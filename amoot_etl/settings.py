"""Settings: flags, then the environment, then a file, then defaults. The token never shows in a repr."""

from __future__ import annotations

import difflib
import logging
import math
import os
import stat
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from amoot_etl.errors import SettingsError
from amoot_etl.mapping import read_mapping
from amoot_etl.shape import Shape
from amoot_etl.toml_lines import line_finder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amoot_etl.mapping import CustomField

__all__ = ["BASE_URL", "Settings", "load", "token_from"]

_log = logging.getLogger("amoot_etl.settings")

BASE_URL: Final = "https://portal.amootsms.com/rest"

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ENVIRONMENT: Final = {
    "token": "AMOOT_TOKEN",
    "base_url": "AMOOT_BASE_URL",
    "out": "AMOOT_OUT",
    "retries": "AMOOT_RETRIES",
    "backoff": "AMOOT_BACKOFF",
    "timeout": "AMOOT_TIMEOUT",
    "concurrency": "AMOOT_CONCURRENCY",
}
_CHOICES: Final = {
    "labels": ("en", "fa"),
    "csv_profile": ("plain", "excel"),
    "csv_compression": ("none", "gzip", "zstd"),
}
_LISTS: Final = ("columns", "exclude")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run needs to know beside its own arguments.

    Args:
        token: The portal's token.
        base_url: Where the portal's methods are, without a slash at the end.
        out: The output folder.
        retries: Tries after the first one.
        backoff: First wait between tries, in seconds; later ones double.
        timeout: Longest time without a byte, in seconds.
        concurrency: Requests at a time, at most.
        max_rps: Requests a second, at most; None for no limit.
        deadline: Seconds for everything that is asked of the portal, from the run's start; None for no limit.
        max_body: Largest body taken in, in bytes after unpacking; None for no limit.
        account: The account's name in `amoot.toml`, if any.
        mapping: What the custom fields mean, as `mapping.read_mapping` gives it.
        columns: The columns of contacts that are wanted, by their names in the tables; none means all.
        exclude: Columns of contacts that are not wanted.
        labels: Headings of CSV and Excel: `en` or `fa`; None as the current set has them, else `en`.
        csv_profile: `plain` for programs, `excel` for people; None as the current set has it, else `plain`.
        csv_compression: `none`, `gzip` or `zstd`; None as the current set has it, else `none`.

    Raises:
        SettingsError: A value is out of its range.

    >>> Settings(token="secret")
    Settings(base_url='https://portal.amootsms.com/rest', out=PosixPath('output'), retries=5, ...)
    """

    token: str = field(default="", repr=False)
    base_url: str = BASE_URL
    out: Path = Path("output")
    retries: int = 5
    backoff: float = 1.0
    timeout: float = 300.0
    concurrency: int = 4
    max_rps: float | None = None
    deadline: float | None = None
    max_body: int | None = None
    account: str | None = None
    mapping: tuple[CustomField, ...] = ()
    columns: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    labels: str | None = None
    csv_profile: str | None = None
    csv_compression: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        parts = _split(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError(
                "base_url must be an http(s) address such as https://portal.amootsms.com/rest",
                subject="base_url",
            )
        if parts.username or parts.password:
            raise SettingsError("base_url must hold no user or password", subject="base_url")
        for name, lowest in (("retries", 0), ("backoff", 0), ("timeout", 0.001), ("concurrency", 1)):
            if not lowest <= getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be at least {lowest}", subject=name)
        for name in ("max_rps", "deadline", "max_body"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SettingsError(f"{name} must be more than 0", subject=name)
        if any(ord(letter) < 33 or ord(letter) > 126 for letter in self.token):
            raise SettingsError(
                "the token holds a character that no token has: copy it anew", subject="token"
            )
        self._check_shape()

    def _check_shape(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in (None, *known):
                raise SettingsError(f"{name} can be {' or '.join(known)}", subject=name)
        for name in ("mapping", *_LISTS):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        Shape(self.mapping, self.columns, self.exclude)  # which says what is wrong with them

    @property
    def shape(self) -> Shape:
        """The tables as the user wants them."""
        return Shape(self.mapping, self.columns, self.exclude)

    @property
    def on_loopback(self) -> bool:
        """Whether the portal is on this machine."""
        return _split(self.base_url).hostname in _LOOPBACK


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        raise SettingsError("base_url is no address", subject="base_url") from None


def load(*, config: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Settle every setting: a flag that is given, else the environment, else the file, else the default.

    Args:
        config: A TOML file; without it `amoot.toml` here, else in the user's config folder, if there is one.
        environ: The environment; the process's own where None.
        flags: Settings given on the command line; None means not given.

    Raises:
        SettingsError: A key or a value is wrong, or the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(config)
    for name, variable in _ENVIRONMENT.items():
        if environ.get(variable, "").strip():
            values[name] = _typed(name, environ[variable].strip(), where=variable)
    values |= {name: value for name, value in flags.items() if value is not None}
    return replace(Settings(), **values)


def token_from(path: Path) -> str:
    """Read a token from a file: its text, without white space around it.

    Raises:
        SettingsError: It cannot be read, is empty, or anybody may write it.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the token cannot be read", subject="token") from error
    if mode & stat.S_IWOTH:
        raise SettingsError(f"{path}: anybody may write this token: chmod 600 it", subject="token")
    if mode & stat.S_IROTH:
        _log.warning("%s: anybody may read this token: chmod 600 it", path)
    if not token:
        raise SettingsError(f"{path}: the token is empty", subject="token")
    return token


def _from_file(config: Path | None) -> dict[str, Any]:
    path = config or _found()
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})", subject=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}", subject=str(path)) from error
    known = [item.name for item in fields(Settings) if item.name not in {"token", "account"}]
    for key in table:
        if key == "token":
            raise SettingsError(
                f"{path}: a token does not belong into this file: use AMOOT_TOKEN or --token-file",
                subject="token",
            )
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            raise SettingsError(f"{path}: unknown key {key}{hint}", subject=key)
    place = line_finder(path, text)
    mapping = read_mapping(table.pop("mapping", {}), place=place)
    values = {key: _typed(key, value, where=place((key,))) for key, value in table.items()}
    try:
        Shape(mapping, values.get("columns", ()), values.get("exclude", ()))
    except SettingsError as error:
        what = str(error).removeprefix(f"{error.subject}: ")
        raise SettingsError(f"{place((error.subject,))}: {what}", subject=error.subject) from None
    return {**values, "mapping": mapping}


def _found() -> Path | None:
    from platformdirs import user_config_path  # noqa: PLC0415 - only a run without --config needs it

    candidates = (Path("amoot.toml"), user_config_path("amoot-etl") / "amoot.toml")
    return next((path for path in candidates if path.is_file()), None)


def _typed(name: str, value: Any, *, where: str) -> Any:
    """Turn the text of an environment variable, or a TOML value, into the setting's type."""
    kind: type = {
        "retries": int,
        "concurrency": int,
        "backoff": float,
        "timeout": float,
        "max_rps": float,
    }.get(name, str)
    if name in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f'{where} must be a list of texts, ["mobile"]', subject=name)
        return tuple(value)
    try:
        if kind is str:
            if not isinstance(value, str):
                raise TypeError  # noqa: TRY301 - told the same way as a failed conversion
            return value
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301
        return kind(value)
    except (TypeError, ValueError):
        words = {int: "a whole number", float: "a number", str: "text"}[kind]
        raise SettingsError(f"{where} must be {words}", subject=name) from None
