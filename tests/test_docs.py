"""Every command and every line of Python that a page shows does what the page says.

A page is played from top to bottom in one empty folder, with an invented portal behind AMOOT_BASE_URL. In a
`console` block, lines that begin with `$ ` are typed, and what follows is what must be printed, where `...` stands
for anything and white space does not count; what goes to stderr counts only when the command fails. A `python`
block must run. Comments that no reader sees set the scene:

    <!-- file: amoot.toml -->       the next block is the text of that file
    <!-- scene: a day passes -->    something happens in the portal before the next block (see `SCENES`), which shows a
                                    reader in whose portal nothing happens "nothing changed"
    <!-- not run -->                the next block is only looked at
"""

from __future__ import annotations

import doctest
import io
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from amoot_etl.cli import amoot_etl, main
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal
from amoot_etl.schema import TABLES

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.fa.md", "docs/cookbook.md", "docs/bi.md", ".github/CONTRIBUTING.md")
RUN = ("console", "python")
CONTACTS = 600
"""In the invented portal that pages are played against, and that they tell readers to serve."""
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# What only a shell can do; everything else is called in this process, which is ten times faster.
SHELL = re.compile(r"[|;&<>`]|\$\(|\$\?|[*\"']")
COMMENT = re.compile(r"<!-- (file|scene|not run)(?:: (.+?))? -->")


class Block(NamedTuple):
    """One fenced block of a page."""

    kind: str
    text: str
    line: int
    hint: tuple[str, str] | None


def blocks(page: str) -> list[Block]:
    """Give the fenced blocks of a page, each with the comment that stands right before it."""
    found, fence, hint = [], None, None
    for number, line in enumerate(page.splitlines(), 1):
        if fence is None and line.lstrip().startswith("```"):
            fence = (line.strip().removeprefix("```"), number, [])
        elif fence is not None and line.strip() == "```":
            found.append(Block(fence[0], textwrap.dedent("\n".join(fence[2])), fence[1], hint))
            fence = hint = None
        elif fence is not None:
            fence[2].append(line)
        elif match := COMMENT.fullmatch(line.strip()):
            hint = (match[1], match[2] or "")
        elif line.strip():
            hint = None
    assert fence is None, f"the block of line {fence[1]} has no end"
    return found


def session(text: str) -> list[tuple[str, str]]:
    r"""Give the commands of a console block, each with what it must print; `\` at an end goes on below."""
    commands = []
    for line in text.splitlines():
        if commands and commands[-1][0].endswith("\\"):
            commands[-1] = (commands[-1][0][:-1] + line.strip(), "")
        elif line.startswith("$ "):
            commands.append((line[2:], ""))
        else:
            assert commands, f"output without a command: {line}"
            commands[-1] = (commands[-1][0], commands[-1][1] + line + "\n")
    return commands


def a_day_passes(book: AddressBook) -> None:
    """Change a world as a day does: some are edited, one joins, one is labelled anew, one goes."""
    first, second, third, fourth = list(book)[:4]
    book.edit(first, CityName="یزد", JobTitle="مدیر فروش")
    book.edit(second, Mobile=9121234567)
    book.relabel(third, add=[2003], remove=list(book.labels(third)))
    book.delete(fourth)
    book.add([2005], FName="مریم", LName="راد", Mobile=9351234567)


SCENES = {"a day passes": a_day_passes, "a day has passed": lambda _book: None}


class Reader:
    """Somebody who follows a page, in one folder and one Python session."""

    def __init__(self, folder: Path, portal: Portal) -> None:
        self.folder = folder
        self.book = portal.book
        self.something_happens = True
        # A page's Python has frames; a command in the same process must not take them away.
        self.names: dict[str, object] = {"__name__": "__main__", "pandas": pd}

    def play(self, page: Path) -> list[str]:
        """Play a page, and give what is not as it says."""
        wrong = []
        for block in blocks(page.read_text(encoding="utf-8")):
            wrong += [f"{page.name}:{block.line}: {complaint}" for complaint in self._play(block)]
        return wrong

    def _play(self, block: Block) -> list[str]:
        what, name = block.hint or ("", "")
        if what == "file":
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(block.text + "\n", encoding="utf-8")
            return []
        if what == "scene" and self.something_happens:
            SCENES[name](self.book)
        if what == "not run" or block.kind not in RUN:
            return []
        if block.kind == "python":
            exec(compile(block.text, f"line {block.line}", "exec"), self.names)  # noqa: S102 - our own pages
            return []
        wrong = []
        for command, shown in session(block.text):
            wanted = shown if what != "scene" or self.something_happens else "...nothing changed..."
            got = self._type(command)
            if not doctest.OutputChecker().check_output(wanted, got, LIKE):
                wrong.append(f"$ {command}\n--- the page says\n{wanted}--- it printed\n{got}")
        return wrong

    def _type(self, command: str) -> str:
        if match := re.fullmatch(r"export (\w+)=(\S+)", command):
            if match[2] != "...":
                os.environ[match[1]] = match[2]
            return ""
        if command.startswith("amoot-etl ") and not SHELL.search(command):
            return _called(shlex.split(command))
        done = subprocess.run(
            ["bash", "-c", command],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            cwd=self.folder,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        return done.stdout + (done.stderr if done.returncode else "")


def _called(words: list[str]) -> str:
    """Run our command in this process, and give what it prints."""
    printed, told = io.StringIO(), io.StringIO()
    before, handlers = signal.getsignal(signal.SIGTERM), list(logging.getLogger().handlers)
    argv, sys.argv = sys.argv, words
    try:
        with redirect_stdout(printed), redirect_stderr(told), pytest.raises(SystemExit) as end:
            main()
    finally:
        sys.argv = argv
        signal.signal(signal.SIGTERM, before)
        logging.getLogger().handlers[:] = handlers
    return printed.getvalue() + (told.getvalue() if end.value.code else "")


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Give somebody in an empty folder, with a portal to talk to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Portal(AddressBook.invent(contacts=CONTACTS)) as portal:
        monkeypatch.setenv("AMOOT_BASE_URL", portal.url)
        monkeypatch.setenv("AMOOT_TOKEN", DEMO_TOKEN)
        yield Reader(tmp_path, portal)


# The Persian README is typed in the slow run only: its blocks are the English ones, which a fast test sees.
TYPED = [pytest.param(page, marks=pytest.mark.slow) if page == "README.fa.md" else page for page in PAGES]


@pytest.mark.parametrize("page", TYPED)
def test_a_page_tells_the_truth(page, reader):
    """Every command prints what the page says, and every block of Python runs."""
    wrong = reader.play(ROOT / page)
    assert not wrong, "\n\n".join(wrong)


class Served(Exception):  # noqa: N818 - reads as what it is
    """The portal was started: enough of it."""


@pytest.mark.parametrize("page", ["docs/cookbook.md", "docs/bi.md"])
def test_a_reader_can_serve_the_portal_of_a_page(page, monkeypatch):
    """The `demo` command that the page names serves the very contacts that its numbers are of."""
    (command,) = re.findall(r"`amoot-etl (demo [^`]+)`", (ROOT / page).read_text(encoding="utf-8"))

    def serve(book: AddressBook, **_options: object) -> None:
        raise Served(book)

    monkeypatch.setattr("amoot_etl.demo.Portal", serve)
    with pytest.raises(Served) as served:
        amoot_etl.main(shlex.split(command), standalone_mode=False)
    (theirs,), ours = served.value.args, AddressBook.invent(contacts=CONTACTS)
    assert [theirs.contact(each) for each in theirs] == [ours.contact(each) for each in ours]
    assert theirs.groups() == ours.groups()


def test_the_cookbook_can_be_followed_where_nobody_works(reader):
    """What is marked as after a day's work prints that nothing changed, as the page says, and the rest is as shown."""
    reader.something_happens = False
    assert reader.play(ROOT / "docs" / "cookbook.md") == []


def test_the_models_for_contributors_are_true(reader, tmp_path):
    """The model docstring's example runs, and the model test passes."""
    assert reader.play(ROOT / ".github" / "CONTRIBUTING.md") == []
    model = doctest.DocTestFinder().find(reader.names["days_until"], "days_until", globs=dict(reader.names))
    assert [doctest.DocTestRunner().run(each) for each in model] == [(0, 1 + 1)]
    reader.names["test_a_contact_that_leaves_is_gone_after_a_sync"](tmp_path / "model")


def headings(page: str) -> list[int]:
    """Give the levels of the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    return [len(match) for match in re.findall(r"^(#+) ", text, flags=re.MULTILINE)]


def test_both_readmes_have_the_same_structure():
    """The Persian page has the same headings, the same blocks and tables of the same length as the English one."""
    english, persian = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fa.md"))
    assert headings(persian) == headings(english)
    for one, other in zip(blocks(persian), blocks(english), strict=True):
        assert one.kind == other.kind
        # Words may be translated in drawings and comments; what is typed and printed may not.
        if one.kind == "console":
            assert one.text == other.text
        if one.kind == "python":
            assert re.sub(r"\s*#.*", "", one.text) == re.sub(r"\s*#.*", "", other.text)
    assert first_cells(persian) == first_cells(english)


def first_cells(page: str) -> list[str]:
    """Give the first cell of each row of the tables of a page, headings left out: names, codes, values.

    What has happened since the last sync is told in words: of these the methods that are asked count.
    """
    before, _, rest = page.partition("<!-- sync cases -->\n")
    cases, _, after = rest.partition("<!-- /sync cases -->")
    asked = [" ".join(re.findall(r"\d+ Contact\w+|Contact\w+", case)) for case in cases.splitlines()[2:]]
    page = before + after
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    lines = [number for number, row in enumerate(rows) if set(row[0]) == {"-"}]
    first = [row[0] for number, row in enumerate(rows) if number not in lines and number + 1 not in lines]
    return [*first, *asked]


def test_the_persian_readme_tells_in_persian():
    """What is told in words, and the headings of every table, are not left in English."""
    page = (ROOT / "README.fa.md").read_text(encoding="utf-8")
    cases = page.partition("<!-- sync cases -->\n")[2].partition("<!-- /")[0].splitlines()[2:]
    rows = page.splitlines()
    heads = [rows[number - 1] for number, row in enumerate(rows) if row.startswith("| ---")]
    for row in [*cases, *heads]:
        assert re.match(r"\|[^|]*[\u0600-\u06ff]", row), row


def test_the_persian_readme_shows_the_declared_headings():
    """Each column of `contacts` stands there with its type and its Persian heading, and no other."""
    text = (ROOT / "README.fa.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- tables -->\n")[2].partition("<!-- /tables -->")[0].splitlines()[2:]
    assert shown == [f"| {each.name} | {each.type} | {each.label} |" for each in TABLES["contacts"].columns]


@pytest.mark.parametrize("page", [*PAGES, "docs/design-charts.md"])
def test_links_between_pages_lead_somewhere(page):
    """Whatever a page points to in this repository is there, the heading too."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    ):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        other = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert other.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", other.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, (
                target
            )


PAGE = """
# A page

<!-- file: words.txt -->
```
some words
```

```console
$ cat words.txt
some ...
$ amoot-etl schema groups --json \\
    --config words.toml
amoot-etl: words.toml: ...
```

<!-- scene: a day passes -->
```python
import pathlib
found = pathlib.Path("words.txt").read_text()
```

<!-- not run -->
```console
$ false
never
```
"""


def test_the_player_does_what_pages_ask_for(reader, tmp_path):
    """Files are written, commands typed, scenes played, and what is not to be run is not."""
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    before = len(reader.book)
    (first,) = list(reader.book)[:1]
    assert reader.play(page) == []
    assert reader.names["found"] == "some words\n"
    assert reader.book.contact(first)["CityName"] == "یزد"
    assert len(reader.book) == before


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("some ...\n", "other ...\n"),
        ("$ false\nnever", "$ cat words.txt\nnever"),
        ("words.toml: ...", ""),
    ],
)
def test_the_player_sees_what_is_untrue(was, becomes, reader, tmp_path):
    """Output that differs, or that the page does not show, is complained about."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("<!-- not run -->", "").replace(was, becomes, 1), encoding="utf-8")
    assert reader.play(page)


def test_python_that_fails_is_seen(reader, tmp_path):
    """A block of Python that raises stops the page."""
    page = tmp_path / "page.md"
    page.write_text("```python\nfrom amoot_etl import no_such_name\n```\n", encoding="utf-8")
    with pytest.raises(ImportError):
        reader.play(page)


def test_no_page_repeats_a_heading_of_its_own():
    """Links to a heading are clear, for there are no two of the same words under one page."""
    for page in PAGES:
        text = re.sub(
            r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        titles = sorted(re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE))
        assert not [one for one, other in pairwise(titles) if one == other]
