"""The embedded portal: a real HTTP server on loopback with an invented address book.

It is what `amoot-etl export --demo` exports, what `amoot-etl demo` serves, and the fake behind the tests. Three
things make it:

- an `AddressBook`: invented contacts and labels, always the same for the same seed, with verbs that change the
  world as people and portals do (`add`, `edit`, `delete`, `relabel`, `rename_group`, `drop_group`);
- a `Portal`: serves a book over HTTP, exactly as the vendor's documents and their gaps have it;
- `Fault`s: planned for this call or that one, each a thing that goes wrong in real life.

`DIRTY` is the table of dirty contacts that every invented book holds, each with what must come of it.

>>> from amoot_etl.demo import AddressBook, Fault, Portal
>>> book = AddressBook.invent(contacts=100)
>>> with Portal(book) as portal:
...     planned = portal.plan(Fault.http(503), "ContactList", calls=[1])
...     print(portal.url.startswith("http://127.0.0.1:"), planned.seen)
True 0
"""

from amoot_etl.demo.answers import METHODS
from amoot_etl.demo.book import AddressBook
from amoot_etl.demo.dirty import DIRTY, FIRST_DIRTY_ID, DirtyRow
from amoot_etl.demo.faults import SHAPES, STATUSES, Fault
from amoot_etl.demo.grammar import WORDS, parse_fault
from amoot_etl.demo.plan import Planned
from amoot_etl.demo.portal import DEMO_TOKEN, Call, Portal

__all__ = [
    "DEMO_TOKEN",
    "DIRTY",
    "FIRST_DIRTY_ID",
    "METHODS",
    "SHAPES",
    "STATUSES",
    "WORDS",
    "AddressBook",
    "Call",
    "DirtyRow",
    "Fault",
    "Planned",
    "Portal",
    "parse_fault",
]
