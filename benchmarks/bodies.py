"""Write the bodies that the portal sends, once: they are kept under `.work` and made again when their recipe changes.

Two shapes of an account: `one` label that holds every contact, and `many` labels that overlap.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.world import CHUNK, World, invent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    import numpy.typing as npt

    from benchmarks.world import Book

    Changed = npt.NDArray[np.bool_] | None

__all__ = ["WORK", "Workload", "ids_of", "many", "one"]

WORK: Final = Path(__file__).parent / ".work"
"""Everything that the benchmarks make; git does not see it."""
_RECIPE: Final = 2
"""Raised when the same recipe gives other bodies."""
_HEAD: Final = b'{"Status":"Success","Data":['
_TAIL: Final = b"]}"
_FIRST_GROUP: Final = 2001
_NO_LABEL: Final = -1


@dataclass(frozen=True)
class Workload:
    """An account's bodies.

    Args:
        folder: Where they are.
        contacts: Distinct contacts.
        records: Records in all listings.
        bytes: Size of all listings.
        groups: The listings' groups, -1 among them.
        edited: How many contacts were edited since; `edited.jsonl` holds them.
    """

    folder: Path
    contacts: int
    records: int
    bytes: int
    groups: tuple[int, ...]
    edited: int = 0

    @property
    def array(self) -> Path:
        """The contacts of the first listing as a bare JSON array, without the portal's envelope."""
        path = self.folder / "array.json"
        if not path.exists():
            part = path.with_suffix(".part")
            with (self.folder / f"{self.groups[0]}.json").open("rb") as body, part.open("wb") as file:
                body.seek(len(_HEAD) - 1)
                shutil.copyfileobj(body, file, 1 << 22)
                file.truncate(file.tell() - 1)
            part.rename(path)
        return path


def one(contacts: int, *, dirty: float = 0.0, edited: float = 0.0) -> Workload:
    """Give an account with one label that holds every contact.

    Args:
        contacts: How many.
        dirty: Share of the values that are dirty.
        edited: Share of the contacts that were edited since; everything else is as without.
    """
    world = World(dirty=dirty, edited=edited)
    ready = _kept(_name("one", contacts, world))
    if isinstance(ready, Workload):
        return ready
    with (ready / f"{_FIRST_GROUP}.json").open("wb") as body, (ready / "edited.jsonl").open("wb") as apart:
        _write(body, _records_of(world, contacts, apart))
    _write_empty(ready / f"{_NO_LABEL}.json")
    count, active = _write_updates(ready, world, contacts)
    _write_groups(ready, [(_FIRST_GROUP, "مشتریان", contacts, active)])
    return _keep(ready, contacts=contacts, records=contacts, groups=(_FIRST_GROUP, _NO_LABEL), edited=count)


def many(groups: int, size: int, *, overlap: float = 0.3, edited: int = 0) -> Workload:
    """Give an account of many labels, each of the same size, that share contacts.

    Args:
        groups: How many labels.
        size: Contacts in each.
        overlap: Share of each label's contacts that have another label of their own.
        edited: Of how many labels the contacts of its own were edited since.
    """
    contacts = round(size * (1 - overlap)) * groups
    world = World()
    ready = _kept(_name(f"many-{groups}x{size}-{edited}", contacts, world))
    if isinstance(ready, Workload):
        return ready
    chance = np.random.default_rng(world.seed)
    # Everybody has one label; the rest of each label are people who have another one too.
    own = chance.permutation(contacts).reshape(groups, -1)
    changed = np.zeros(contacts, np.bool_)
    changed[own[:edited].ravel()] = True
    with (ready / "edited.jsonl").open("wb") as apart:
        blocks = _records_of(world, contacts, apart, changed)
        everyone = pa.concat_arrays([block.cast(pa.large_string()) for block in blocks])
    lines = []
    for number, mine in enumerate(own):
        others = np.setdiff1d(chance.choice(contacts, 2 * size, replace=False), mine)
        chosen = np.concatenate((mine, chance.permutation(others)[: size - len(mine)]))
        group = _FIRST_GROUP + number
        with (ready / f"{group}.json").open("wb") as body:
            _write(body, [everyone.take(pa.array(np.sort(chosen)))])
        lines.append((group, f"برچسب {number + 1}", size, size))
    _write_empty(ready / f"{_NO_LABEL}.json")
    count, _ = _write_updates(ready, world, contacts, changed)
    _write_groups(ready, lines)
    listed = (*(group for group, *_ in lines), _NO_LABEL)
    return _keep(ready, contacts=contacts, records=groups * size, groups=listed, edited=count)


# Inside


def _name(shape: str, contacts: int, world: World) -> str:
    return f"{shape}-{contacts}-dirty{world.dirty:g}-edited{world.edited:g}-{world.seed}-v{_RECIPE}"


def _kept(name: str) -> Workload | Path:
    """Give the workload that was kept, or an empty folder to make it in."""
    folder = WORK / "bodies" / name
    facts = folder / "facts.json"
    if facts.exists():
        kept = json.loads(facts.read_text("utf-8"))
        return Workload(**{**kept, "folder": folder, "groups": tuple(kept["groups"])})
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _keep(folder: Path, **facts: Any) -> Workload:
    size = sum((folder / f"{group}.json").stat().st_size for group in facts["groups"])
    workload = Workload(folder=folder, bytes=size, **facts)
    told = {name: value for name, value in asdict(workload).items() if name != "folder"}
    (folder / "facts.json").write_text(json.dumps(told), "utf-8")
    return workload


def _books(world: World, contacts: int, changed: Changed = None) -> Iterator[Book]:
    for chunk, start in enumerate(range(0, contacts, CHUNK)):
        end = min(start + CHUNK, contacts)
        yield invent(world, chunk, end - start, None if changed is None else changed[start:end])


def _records(book: Book) -> pa.Array:
    """Give each contact as the portal's JSON."""
    parts: list[Any] = []
    for number, (name, values) in enumerate(book.columns.items()):
        parts += [f'{"," if number else "{"}"{name}":', values]
    return pc.binary_join_element_wise(*parts, "}", "")


def _records_of(world: World, contacts: int, apart: BinaryIO, changed: Changed = None) -> Iterator[pa.Array]:
    """Give the records by the chunk; write the edited ones apart, too."""
    for book in _books(world, contacts, changed):
        records = _records(book)
        apart.writelines(
            record.encode() + b"\n" for record in records.filter(pa.array(book.edited)).to_pylist()
        )
        yield records


def _write(body: BinaryIO, blocks: Iterable[pa.Array]) -> None:
    body.write(_HEAD)
    for number, block in enumerate(blocks):
        body.write(b"," if number else b"")
        body.write(",".join(block.to_pylist()).encode())
    body.write(_TAIL)


def _write_empty(path: Path) -> None:
    path.write_bytes(_HEAD + _TAIL)


def _write_updates(folder: Path, world: World, contacts: int, changed: Changed = None) -> tuple[int, int]:
    """Write `ContactListUpdates`; give how many contacts were edited, and how many are active."""
    edited = active = 0
    with (folder / "ContactListUpdates.json").open("wb") as body:

        def blocks() -> Iterator[pa.Array]:
            nonlocal edited, active
            for book in _books(world, contacts, changed):
                edited += int(book.edited.sum())
                active += int(pc.sum(pc.equal(book.columns["Active"], "true")).as_py())
                yield pc.binary_join_element_wise(
                    '{"ID":', book.columns["ID"], ',"UpdateDateTime":', book.stamps, ',"Deleted":false}', ""
                )

        _write(body, blocks())
    return edited, active


def _write_groups(folder: Path, lines: list[tuple[int, str, int, int]]) -> None:
    names = ("ContactGroupID", "Title", "ContactsCount", "ContactsActiveCount")
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    text = json.dumps({"Status": "Success", "Data": rows}, ensure_ascii=False, separators=(",", ":"))
    (folder / "ContactGroupList.json").write_text(text, "utf-8")


def ids_of(workload: Workload) -> npt.NDArray[np.int64]:
    """Give the contacts of an account, rising."""
    with (workload.folder / "ContactListUpdates.json").open("rb") as body:
        return np.sort(np.array([entry["ID"] for entry in json.load(body)["Data"]], np.int64))
