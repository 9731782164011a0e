"""Settings: flags, then the environment, then a file, then defaults. The token never shows in a repr.

A file may name several accounts. One that is chosen (`--account`, `AMOOT_ACCOUNT`) brings its own token and folder
along and counts as a flag: what happens to stand in the environment must not send one account's contacts into
the folder of another.
"""

from __future__ import annotations

import difflib
import logging
import math
import os
import re
import stat
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from amoot_etl.errors import SettingsError
from amoot_etl.mapping import read_mapping
from amoot_etl.shape import Shape
from amoot_etl.toml_lines import line_finder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amoot_etl.mapping import CustomField
    from amoot_etl.toml_lines import Place

__all__ = ["BASE_URL", "Settings", "Settled", "load", "settle", "token_from"]

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
    "max_rps": "AMOOT_MAX_RPS",
    "deadline": "AMOOT_DEADLINE",
    "max_body": "AMOOT_MAX_BODY",
}
_ACCOUNT: Final = "AMOOT_ACCOUNT"
_TOKEN_FILE: Final = "AMOOT_TOKEN_FILE"  # noqa: S105 - a variable's name
_TOKEN_SOURCES: Final = ("token_env", "token_file")
_UNITS: Final = {
    "deadline": {"s": 1, "m": 60, "h": 3600},
    "max_body": {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12},
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
        token_problem: Why there is no token, where a source of one was named.
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
    token_problem: str = field(default="", repr=False)
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

    def need_token(self) -> None:
        """Insist that there is a token.

        Raises:
            SettingsError: There is none; the message says where one is looked for.
        """
        if not self.token:
            raise SettingsError(
                self.token_problem or "no token: set AMOOT_TOKEN or --token-file", subject="token"
            )

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
        flags: Settings given on the command line, `account` and `token_file` too; None means not given.

    Raises:
        SettingsError: A key or a value is wrong, or the file cannot be read.
    """
    return settle(config=config, environ=environ, **flags).settings


class Settled(NamedTuple):
    """Settings, and where each came from."""

    settings: Settings
    sources: dict[str, str]
    """Setting to its source: `--flag`, `AMOOT_…`, the file, the account in it, or `default`."""
    accounts: tuple[str, ...] = ()
    """The accounts that the file names."""


def settle(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    account: str | None = None,
    token_file: Path | str | None = None,
    **flags: Any,
) -> Settled:
    """Settle every setting as `load` does, and say where each came from.

    Args:
        config: A TOML file; without it `amoot.toml` here, else in the user's config folder, if there is one.
        environ: The environment; the process's own where None.
        account: The account in the file that is meant.
        token_file: A file that holds the token.
        flags: Settings given on the command line; None means not given.

    Raises:
        SettingsError: A key or a value is wrong, or the file cannot be read.

    >>> settled = settle(environ={"AMOOT_RETRIES": "7"}, timeout=30)
    >>> settled.settings.retries, settled.sources["retries"], settled.sources["timeout"]
    (7, 'AMOOT_RETRIES', '--timeout')
    """
    environ = os.environ if environ is None else environ
    file = _read_file(config)
    chosen = account or environ.get(_ACCOUNT, "").strip() or None
    layers = [
        *([(file.values, str(file.path))] if file else []),
        *(
            ({name: _typed(name, environ[variable].strip(), where=variable)}, variable)
            for name, variable in _ENVIRONMENT.items()
            if environ.get(variable, "").strip()
        ),
    ]
    if environ.get(_TOKEN_FILE, "").strip():
        layers.append(({"token_file": Path(environ[_TOKEN_FILE].strip())}, _TOKEN_FILE))
    if chosen:
        own = _account(file, chosen, {name: value for layer, _ in layers for name, value in layer.items()})
        layers.append((own, f"account {chosen} in {file.path if file else ''}"))
    if token_file:
        layers.append(({"token_file": Path(token_file)}, "--token-file"))
    layers += [
        ({name: _typed(name, value, where=_flag(name)) if name in _UNITS else value}, _flag(name))
        for name, value in flags.items()
        if value is not None
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys((item.name for item in fields(Settings)), "default")
    for layer, source in layers:
        if layer.keys() & {"token", *_TOKEN_SOURCES}:
            # A later source of the token takes the place of an earlier one of another kind.
            for name in ("token", *_TOKEN_SOURCES):
                values.pop(name, None)
            sources["token"] = source
        values |= layer
        sources |= dict.fromkeys(layer.keys() & sources.keys(), source)
    values |= _token(values, sources, environ)
    return Settled(
        replace(Settings(), **values, account=chosen), sources, tuple(file.accounts) if file else ()
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _token(values: dict[str, Any], sources: dict[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Take the token from where the settings say; a command that needs none is not bothered with a failure."""
    variable, path = values.pop("token_env", None), values.pop("token_file", None)
    if variable:
        token = environ.get(variable, "").strip()
        problem = "" if token else f"no token: {sources['token']} takes it from {variable}, which is not set"
        sources["token"] += f", token_env = {variable}"
        return {"token": token, "token_problem": problem}
    if path:
        sources["token"] += f" {path}"
        try:
            return {"token": token_from(path)}
        except SettingsError as error:
            return {"token_problem": str(error)}
    return {}


def token_from(path: Path) -> str:
    """Read a token from a file: its text, without white space around it.

    A link is followed and the file itself is looked at, so that the secrets of Docker (0444) and Kubernetes (a
    link to 0644 or 0440) work.

    Raises:
        SettingsError: It cannot be read, is empty, or others may write it.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise SettingsError(f"{path}: the token cannot be read{why}", subject="token") from error
    if os.name == "posix":
        if mode & (stat.S_IWOTH | stat.S_IWGRP):
            raise SettingsError(f"{path}: others may write this token: chmod 600 it", subject="token")
        if mode & stat.S_IROTH:
            _log.warning("%s: anybody on this machine may read this token: chmod 600 it if you can", path)
    if not token:
        raise SettingsError(f"{path}: the token is empty", subject="token")
    return token


class _File(NamedTuple):
    """What a settings file says."""

    path: Path
    values: dict[str, Any]
    accounts: dict[str, dict[str, Any]]


def _read_file(config: Path | None) -> _File | None:
    path = config or _found()
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})", subject=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}", subject=str(path)) from error
    place = line_finder(path, text)
    accounts = table.pop("accounts", {})
    if not isinstance(accounts, dict) or not all(isinstance(own, dict) for own in accounts.values()):
        raise SettingsError(
            f"{place(('accounts',))} must be a table for each: [accounts.shop]", subject="accounts"
        )
    values = _checked(path, table, place, more=("accounts",))
    owned = {name: _checked(path, own, _inside(place, name)) for name, own in accounts.items()}
    folders: dict[str, str] = {}
    for name, own in owned.items():
        if not own.keys() & set(_TOKEN_SOURCES):
            raise SettingsError(
                f"{place(('accounts', name))}: needs token_env or token_file, the place of its token",
                subject="token",
            )
        other = folders.setdefault(os.path.normpath(own.get("out", f"\0{name}")), name)
        if other != name:
            raise SettingsError(
                f"{place(('accounts', name, 'out'))} is the folder of {other} too: give each its own",
                subject="out",
            )
    return _File(path, values, owned)


def _inside(place: Place, account: str) -> Place:
    def inside(keys: Sequence[str]) -> str:
        return place(("accounts", account, *keys))

    return inside


def _checked(path: Path, table: dict[str, Any], place: Place, more: Sequence[str] = ()) -> dict[str, Any]:
    """Give the settings of a file's table in their types; an unknown key is told with the nearest known one."""
    hidden = {"token", "account", "token_problem"}
    known = [*(item.name for item in fields(Settings) if item.name not in hidden), *_TOKEN_SOURCES]
    for key in table:
        if key == "token":
            raise SettingsError(
                f"{place((key,))} does not belong into this file: use token_env, token_file or AMOOT_TOKEN",
                subject="token",
            )
        if key not in known:
            near = difflib.get_close_matches(key, [*known, *more], n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join([*known, *more])}"
            raise SettingsError(f"{place((key,))}: unknown key; {hint}", subject=key)
    if set(_TOKEN_SOURCES) <= table.keys():
        raise SettingsError(f"{place(('token_file',))}: say either token_env or token_file", subject="token")
    mapping = {"mapping": read_mapping(table["mapping"], place=place)} if "mapping" in table else {}
    values = {
        key: _typed(key, value, where=place((key,))) for key, value in table.items() if key != "mapping"
    }
    if "token_file" in values:
        # So that a settings file and the token beside it work from any folder.
        values["token_file"] = path.parent / Path(values["token_file"]).expanduser()
    try:
        Shape(mapping.get("mapping", ()), values.get("columns", ()), values.get("exclude", ()))
    except SettingsError as error:
        what = str(error).removeprefix(f"{error.subject}: ")
        raise SettingsError(f"{place((error.subject,))}: {what}", subject=error.subject) from None
    return {**values, **mapping}


def _account(file: _File | None, name: str, so_far: dict[str, Any]) -> dict[str, Any]:
    """Give what the file says of an account; without a folder of its own it gets one inside the common one."""
    accounts = file.accounts if file else {}
    if name not in accounts:
        where = file.path if file else "amoot.toml, which is not there"
        near = difflib.get_close_matches(name, accounts, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; it names {', '.join(accounts) or 'none'}"
        raise SettingsError(f"there is no account {name} in {where}{hint}", subject="account")
    return {"out": str(Path(so_far.get("out", "output")) / name), **accounts[name]}


def _found() -> Path | None:
    from platformdirs import user_config_path  # noqa: PLC0415 - only a run without --config needs it

    candidates = (Path("amoot.toml"), user_config_path("amoot-etl") / "amoot.toml")
    return next((path for path in candidates if path.is_file()), None)


def _typed(name: str, value: Any, *, where: str) -> Any:
    """Turn the text of an environment variable, or a TOML value, into the setting's type."""
    if name in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f'{where} must be a list of texts, ["mobile"]', subject=name)
        return tuple(value)
    if name in _UNITS:
        return _amount(name, value, where=where)
    kind: type = {
        "retries": int,
        "concurrency": int,
        "backoff": float,
        "timeout": float,
        "max_rps": float,
    }.get(name, str)
    try:
        if kind is str:
            if not isinstance(value, str):
                raise TypeError  # noqa: TRY301 - told the same way as a failed conversion
            return value
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError  # noqa: TRY301
        return kind(value)
    except (TypeError, ValueError):
        words = {int: "a whole number", float: "a number", str: "text"}[kind]
        raise SettingsError(f"{where} must be {words}", subject=name) from None


def _amount(name: str, value: Any, *, where: str) -> float | int:
    """Read a span of time in seconds, or a size in bytes, told with or without a unit.

    >>> _amount("deadline", "1.5h", where="deadline"), _amount("max_body", "2 GB", where="max_body")
    (5400.0, 2000000000)
    """
    units = _UNITS[name]
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    factor = units.get(match[2].lower() or next(iter(units))) if match else None
    if match is None or factor is None:
        example = "a number of seconds, or 90m, 2h" if name == "deadline" else "a size such as 500MB or 2GB"
        raise SettingsError(f"{where} must be {example}", subject=name)
    amount = float(match[1]) * factor
    return int(amount) if name == "max_body" else amount
