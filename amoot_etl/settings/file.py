"""The settings file: `amoot.toml`, its accounts, and where in it something is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amoot_etl.errors import SettingsError
from amoot_etl.settings.values import FLAGS_ALONE, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from amoot_etl.toml_lines import Place

__all__ = ["TOKEN_SOURCES", "SettingsFile", "read_settings_file"]

TOKEN_SOURCES: Final = ("token_env", "token_file")
"""The keys that say where a token is."""


class SettingsFile(NamedTuple):
    """What a settings file says."""

    path: Path
    values: dict[str, Any]
    accounts: dict[str, dict[str, Any]]
    place: Place
    """Says where in the file a key stands."""

    def account(self, name: str, common: str | Path) -> dict[str, Any]:
        """Give what it says of an account; without a folder of its own it gets one inside the common one.

        Raises:
            SettingsError: It names no such account.
        """
        if name not in self.accounts:
            raise _no_account(name, self.path, self.accounts)
        return {"out": str(Path(common) / name), **self.accounts[name]}


def _no_account(name: str, where: Path, known: Iterable[str]) -> SettingsError:
    """Give the error of an account that is not known."""
    import difflib  # noqa: PLC0415 - as below: most runs have no use for it

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it names {', '.join(known) or 'none'}"
    return SettingsError(f"there is no account {name} in {where}; {hint}", subject="account")


def read_settings_file(config: Path | str | None, known: Sequence[str]) -> SettingsFile | None:
    """Read a settings file.

    Args:
        config: The file; without it `amoot.toml` here, else in the user's config folder, if there is one.
        known: The settings that may stand in it.

    Raises:
        SettingsError: A key or a value is wrong, or it cannot be read.
    """
    path = Path(config) if config else _found()
    if path is None:
        return None
    # Every command looks for a file, and few find one: what reads it is loaded then.
    import tomllib  # noqa: PLC0415

    from amoot_etl.toml_lines import line_finder  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8-sig")
        table = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})", subject=str(path)) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: this is not UTF-8: save it as UTF-8", subject=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}", subject=str(path)) from error
    place = line_finder(path, text)
    accounts = table.pop("accounts", {})
    if not isinstance(accounts, dict) or not all(isinstance(own, dict) for own in accounts.values()):
        raise SettingsError(
            f"{place(('accounts',))} must be a table for each: [accounts.shop]", subject="accounts"
        )
    values = _checked(path, table, place, known, more=("accounts",))
    owned = {name: _checked(path, own, _inside(place, name), known) for name, own in accounts.items()}
    folders: dict[str, str] = {}
    for name, own in owned.items():
        if not own.keys() & set(TOKEN_SOURCES):
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
    return SettingsFile(path, values, owned, place)


def _inside(place: Place, account: str) -> Place:
    def inside(keys: Sequence[str]) -> str:
        return place(("accounts", account, *keys))

    return inside


def _checked(
    path: Path, table: dict[str, Any], place: Place, settings: Sequence[str], more: Sequence[str] = ()
) -> dict[str, Any]:
    """Give the settings of a file's table in their types; an unknown key is told with the nearest known one."""
    import difflib  # noqa: PLC0415

    from amoot_etl.mapping import read_mapping  # noqa: PLC0415
    from amoot_etl.shape import Shape  # noqa: PLC0415

    known = [*settings, *TOKEN_SOURCES]
    for key in table:
        if key == "token":
            raise SettingsError(
                f"{place((key,))} does not belong into this file: use token_env, token_file or AMOOT_TOKEN",
                subject="token",
            )
        if key not in known:
            if key in FLAGS_ALONE:
                flag = f"--{key.replace('_', '-')}"
                raise SettingsError(
                    f"{place((key,))} can be said by {flag} alone, not in this file", subject=key
                )
            near = difflib.get_close_matches(key, [*known, *more], n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join([*known, *more])}"
            raise SettingsError(f"{place((key,))}: unknown key; {hint}", subject=key)
    if set(TOKEN_SOURCES) <= table.keys():
        raise SettingsError(f"{place(('token_file',))}: say either token_env or token_file", subject="token")
    mapping = {"mapping": read_mapping(table["mapping"], place=place)} if "mapping" in table else {}
    values = {key: typed(key, value, where=place((key,))) for key, value in table.items() if key != "mapping"}
    if "token_file" in values:
        # So that a settings file and the token beside it work from any folder.
        values["token_file"] = path.parent / Path(values["token_file"]).expanduser()
    try:
        Shape(mapping.get("mapping", ()), values.get("columns", ()), values.get("exclude", ()))
    except SettingsError as error:
        what = str(error).removeprefix(f"{error.subject}: ")
        raise SettingsError(f"{place((error.subject,))}: {what}", subject=error.subject) from None
    return {**values, **mapping}


def _found() -> Path | None:
    from platformdirs import user_config_path  # noqa: PLC0415 - only a run without --config needs it

    candidates = (Path("amoot.toml"), user_config_path("amoot-etl") / "amoot.toml")
    return next((path for path in candidates if path.is_file()), None)
