"""The public names: what `amoot_etl` says it has is what it has."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import amoot_etl
from amoot_etl import errors
from amoot_etl.demo import AddressBook, Portal


def test_every_public_name_is_there_and_taught():
    """Each name imports, says what it is, and stands in `__all__` once."""
    assert len(set(amoot_etl.__all__)) == len(amoot_etl.__all__)
    for name in amoot_etl.__all__:
        value = getattr(amoot_etl, name)
        assert name == "__version__" or inspect.getdoc(value), name
    assert set(dir(amoot_etl)) == set(amoot_etl.__all__)


def test_type_checkers_see_the_same_names():
    """The imports under TYPE_CHECKING are those that happen at run time."""
    tree = ast.parse(Path(amoot_etl.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module.removeprefix("amoot_etl."), alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(module, name) for name, module in amoot_etl._HOME_OF.items()}


def test_unknown_name_is_an_attribute_error():
    """A name that is not ours fails as it does in any module."""
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        amoot_etl.exprot  # noqa: B018 - the look-up is the test


@pytest.mark.parametrize(
    "module", ["amoot_etl", "amoot_etl.cli", "amoot_etl.cli.groups", "amoot_etl.extractors.groups"]
)
def test_looking_needs_no_tables(module):
    """Help and `groups` start without pandas, Arrow or DuckDB, nor what reads a settings file or shows a bar."""
    heavy = {"pandas", "numpy", "pyarrow", "duckdb", "asyncio", "tornado", "tqdm"}
    heavy |= {"tomllib", "amoot_etl.mapping", "amoot_etl.shape", "amoot_etl.pipeline.progress"}
    code = f"import sys, {module}; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_an_export_asks_before_arrow_is_loaded(tmp_path):
    """The downloads have begun when what they are read with is loaded: that takes half a second."""
    code = """
import sys
from amoot_etl import Settings, export
from amoot_etl.pipeline import fetch
begin = fetch.Fetch._begin
def begun(self, listings):
    begin(self, listings)
    print("begun", *{"pandas", "numpy", "pyarrow", "duckdb"} & set(sys.modules))
fetch.Fetch._begin = begun
export(Settings(base_url=sys.argv[1], token="t", out=sys.argv[2]))
"""
    with Portal(AddressBook.invent(contacts=5), token="t") as portal:
        command = [sys.executable, "-c", code, portal.url, str(tmp_path / "output")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "begun\n"
    assert (tmp_path / "output" / "contacts.parquet").exists()


def test_a_sync_asks_before_arrow_is_loaded(tmp_path):
    """What is held is looked at while the portal is at work."""
    code = """
import sys
from amoot_etl import Settings, sync
import amoot_etl.pipeline.sync as module
ask = module.ask_first
def begun(*wanted):
    print("begun", *{"pandas", "numpy", "pyarrow", "duckdb"} & set(sys.modules))
    return ask(*wanted)
module.ask_first = begun
print(sync(Settings(base_url=sys.argv[1], token="t", out=sys.argv[2])).outcome)
"""
    with Portal(AddressBook.invent(contacts=5), token="t") as portal:
        amoot_etl.export(amoot_etl.Settings(base_url=portal.url, token="t", out=tmp_path))
        command = [sys.executable, "-c", code, portal.url, str(tmp_path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "begun\nunchanged\n"


def _subclasses(kind: type) -> list[type]:
    return [kind, *(below for child in kind.__subclasses__() for below in _subclasses(child))]


def test_every_error_has_an_exit_code_and_a_subject():
    """Whatever we raise on purpose carries its subject and ends in a code of the table."""
    from amoot_etl.cli import EXIT_CODES, exit_code_of  # noqa: PLC0415

    for kind in _subclasses(errors.AmootError):
        if kind.__module__.startswith("amoot_etl"):
            error = kind("what, which, and the way out", subject="it")
            assert error.subject == "it"
            assert (
                kind is errors.AmootError
                or kind.__name__.startswith("_")
                or exit_code_of(kind) in EXIT_CODES.values()
            )
    assert sorted(EXIT_CODES.values()) == [2, 3, 4, 5, 6, 7, 8]


def test_errors_module_draws_its_tree():
    """The picture in the docstring names every public error."""
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")
