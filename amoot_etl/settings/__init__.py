"""Settings: flags, then the environment, then a file, then defaults. The token never shows in a repr.

A file may name several accounts. One that is chosen (`--account`, `AMOOT_ACCOUNT`) brings its own token and folder
along and counts as a flag: what happens to stand in the environment must not send one account's contacts into
the folder of another.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from amoot_etl.errors import SettingsError
from amoot_etl.settings.file import TOKEN_SOURCES, read_settings_file
from amoot_etl.settings.token import NO_TOKEN, could_be_token, token_from
from amoot_etl.settings.values import CHOICES, LISTS, RANGES, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from amoot_etl.mapping import CustomField
    from amoot_etl.settings.file import SettingsFile
    from amoot_etl.shape import Shape

__all__ = ["BASE_URL", "Settings", "Settled", "load_settings", "settle"]

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
_NOT_IN_FILES: Final = frozenset({"token", "account", "token_problem"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run needs to know beside its own arguments.

    Args:
        token: The portal's token.
        base_url: Where the portal's methods are, without a slash at the end.
        out: The output folder.
        retries: Tries after the first one, 0 to 100.
        backoff: First wait between tries, in seconds, 0 to 3,600; later ones double.
        timeout: Longest time without a byte, in seconds, 0.001 to 86,400.
        concurrency: Requests at a time, at most, 1 to 100.
        max_rps: Requests a second, at most, 0.001 to 1,000,000; None for no limit.
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
        if not _is_text(self.out):
            raise SettingsError(
                "out must be a folder whose name is UTF-8 text: choose another", subject="out"
            )
        parts = _split(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError(
                "base_url must be an http(s) address such as https://portal.amootsms.com/rest",
                subject="base_url",
            )
        if parts.username or parts.password:
            raise SettingsError("base_url must hold no user or password", subject="base_url")
        for name, (lowest, highest) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                raise SettingsError(f"{name} must be from {lowest} to {highest}", subject=name)
        if self.max_body is not None and not 0 < self.max_body < math.inf:
            raise SettingsError("max_body must be more than 0", subject="max_body")
        if not could_be_token(self.token):
            raise SettingsError(NO_TOKEN, subject="token")
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
        for name, known in CHOICES.items():
            if getattr(self, name) not in (None, *known):
                raise SettingsError(f"{name} can be {' or '.join(known)}", subject=name)
        for name in ("mapping", *LISTS):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.mapping or self.columns or self.exclude:
            _ = self.shape  # which says what is wrong with them

    @property
    def shape(self) -> Shape:
        """The tables as the user wants them."""
        from amoot_etl.shape import Shape  # noqa: PLC0415 - `amoot-etl groups` has no tables, and starts faster

        return Shape(self.mapping, self.columns, self.exclude)

    @property
    def on_loopback(self) -> bool:
        """Whether the portal is on this machine."""
        return _split(self.base_url).hostname in _LOOPBACK


def _is_text(path: Path) -> bool:
    """Say whether a path is UTF-8 text, which is how Arrow and DuckDB open one."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read, and may be none, only now
    except ValueError:
        raise SettingsError("base_url is no address", subject="base_url") from None
    return parts


def load_settings(
    *, config: Path | str | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> Settings:
    """Settle every setting: a flag that is given, else the environment, else the file, else the default.

    Args:
        config: A TOML file; without it `amoot.toml` here, else in the user's config folder, if there is one.
        environ: The environment; the process's own where None.
        flags: Settings given on the command line, `account` and `token_file` too; None means not given.

    Raises:
        SettingsError: A key or a value is wrong, or the file cannot be read.

    >>> load_settings(environ={"AMOOT_OUT": "data"}, retries=2).out.name
    'data'
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
    config: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    account: str | None = None,
    token_file: Path | str | None = None,
    **flags: Any,
) -> Settled:
    """Settle every setting as `load_settings` does, and say where each came from.

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
    file = read_settings_file(config, _in_files())
    chosen = account or environ.get(_ACCOUNT, "").strip() or None
    layers = list(_before_account(file, environ))
    if chosen:
        layers.append(_of_account(file, chosen, layers))
    if token_file:
        layers.append(_Layer({"token_file": Path(token_file)}, "--token-file", _flag))
    layers += [
        _Layer({name: _of_flag(name, value)}, _flag(name), _flag)
        for name, value in flags.items()
        if value is not None
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys((item.name for item in fields(Settings)), "default")
    places: dict[str, Callable[[str], str]] = {}
    for layer in layers:
        if layer.values.keys() & {"token", *TOKEN_SOURCES}:
            # A later source of the token takes the place of an earlier one of another kind.
            for name in ("token", *TOKEN_SOURCES):
                values.pop(name, None)
            sources["token"] = layer.source
        values |= layer.values
        sources |= dict.fromkeys(layer.values.keys() & sources.keys(), layer.source)
        places |= dict.fromkeys(layer.values, layer.place)
    values |= _token(values, sources, environ)
    try:
        settings = replace(Settings(), **values, account=chosen)
    except SettingsError as error:
        name = error.subject
        if name not in places:
            raise
        told = str(error)
        told = told.removeprefix(name) if told.startswith(name) else f": {told}"
        raise SettingsError(f"{places[name](name)}{told}", subject=name) from None
    if _is_no_folder(settings.out):
        place = places["out"]("out") if "out" in places else "the output folder"
        raise SettingsError(
            f"{place}: {settings.out} is a file and not a folder: choose another", subject="out"
        )
    return Settled(settings, sources, tuple(file.accounts) if file else ())


def _is_no_folder(path: Path) -> bool:
    """Say whether there is something that is no folder; what cannot be looked at is told when it is written to."""
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        return False


class _Layer(NamedTuple):
    """Settings from one source."""

    values: dict[str, Any]
    source: str
    place: Callable[[str], str]
    """Says of a setting where in the source it stands, for a message."""


def _in_files() -> list[str]:
    return [item.name for item in fields(Settings) if item.name not in _NOT_IN_FILES]


def _before_account(file: SettingsFile | None, environ: Mapping[str, str]) -> Iterator[_Layer]:
    """Give what holds for all accounts: the file, then the environment."""
    if file:
        yield _Layer(file.values, str(file.path), lambda name: file.place((name,)))
    for name, variable in _ENVIRONMENT.items():
        text = environ.get(variable, "").strip()
        if text:
            yield _Layer({name: typed(name, text, where=variable)}, variable, _ENVIRONMENT.__getitem__)
    path = environ.get(_TOKEN_FILE, "").strip()
    if path:
        yield _Layer({"token_file": Path(path)}, _TOKEN_FILE, lambda _: _TOKEN_FILE)


def _of_account(file: SettingsFile | None, name: str, before: list[_Layer]) -> _Layer:
    if file is None:
        raise SettingsError(
            f"there is no account {name}, since there is no amoot.toml to name it: make one with `amoot-etl init`, "
            "or give another with --config",
            subject="account",
        )
    outs = [layer.values["out"] for layer in before if "out" in layer.values]
    own = file.account(name, outs[-1] if outs else Settings().out)
    return _Layer(own, f"account {name} in {file.path}", lambda key: file.place(("accounts", name, key)))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _of_flag(name: str, value: Any) -> Any:
    """Give a flag's value; click has seen to the type of most, and Python gives what it likes, as a Path."""
    return typed(name, value, where=_flag(name)) if isinstance(value, str) else value


def _token(values: dict[str, Any], sources: dict[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Take the token from where the settings say; a command that needs none is not bothered with a failure."""
    variable, path = values.pop("token_env", None), values.pop("token_file", None)
    if variable:
        token = environ.get(variable, "").strip()
        problem = "" if token else f"no token: {sources['token']} takes it from {variable}, which is not set"
        if not could_be_token(token):
            token, problem = "", f"{variable}: {NO_TOKEN}"
        sources["token"] += f", token_env = {variable}"
        return {"token": token, "token_problem": problem}
    if path:
        sources["token"] += f" {path}"
        try:
            return {"token": token_from(path)}
        except SettingsError as error:
            return {"token_problem": str(error)}
    return {}
