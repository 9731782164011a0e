"""The report in a real browser: drawn, readable and silent, in both languages, light and dark, wide and narrow.

Needs Debian's `chromium` and `chromium-driver`; where they are missing the tests say so and are skipped.
"""

from __future__ import annotations

import base64
import random
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from amoot_etl import export
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.report import report
from amoot_etl.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WIDE, NARROW = (1200, 900), (390, 844)
VIEWS = [
    pytest.param(lang, size, scheme, id=f"{lang}-{size[0]}-{scheme}")
    for lang in ("en", "fa")
    for size in (WIDE, NARROW)
    for scheme in ("light", "dark")
]

_LUMINANCE = """
    function luminance(text) {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => {
            const share = part / 255;
            return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    }
    function contrast(one, other) {
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    }
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Start a headless Chromium that keeps what its console says."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}: apt-get install chromium chromium-driver")
    from selenium import webdriver  # noqa: PLC0415 - only where there is a browser
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(programs["chromedriver"])) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """Write the report of a book that was exported three times, in both languages."""
    folder = tmp_path_factory.mktemp("report")
    book, rng = AddressBook.invent(contacts=1200, seed=9, dirty=True), random.Random(9)
    book.add_group("گروهی با نامی بسیار بلند که در یک سطر جا نمی‌شود و باید بشکند", 77)
    runs = iter(f"202611{day:02d}T003011Z-0000" for day in (10, 14, 21))
    with Portal(book) as portal, pytest.MonkeyPatch.context() as patched:
        # Days between the exports, though they are made in a row: growth is told by the day.
        patched.setattr(Output, "new_run_id", lambda _output: next(runs))
        settings = Settings(base_url=portal.url, token=DEMO_TOKEN, out=folder / "output", backoff=0)
        for _ in range(3):
            export(settings)
            for contact in rng.sample(list(book), 12):
                book.delete(contact)
            for number in range(40):
                book.add([77], FName="مریم", Mobile=9121000000 + number, CityName="یزد")
    return {lang: report(folder / f"{lang}.html", folder / "output", lang=lang) for lang in ("en", "fa")}


@pytest.fixture
def show(browser, pages):
    """Show a page in a window of a size, to a reader who prefers light or dark."""

    def open_page(lang: str, size: tuple[int, int] = WIDE, scheme: str = "light", media: str = "") -> Chrome:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == NARROW}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})
        browser.get(pages[lang].as_uri())
        return browser

    return open_page


@pytest.mark.parametrize(("lang", "size", "scheme"), VIEWS)
def test_the_browser_has_nothing_to_complain_of(show, lang, size, scheme):
    """The console stays empty, nothing is loaded, and the page is not wider than its window."""
    browser = show(lang, size, scheme)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    wanted, given = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wanted == given <= size[0]


@pytest.mark.parametrize(("lang", "size", "scheme"), VIEWS)
def test_bars_are_drawn_as_long_as_they_should(show, lang, size, scheme):
    """Each bar and column has its length, in a colour that stands out, from where the text begins."""
    browser = show(lang, size, scheme)
    drawn = browser.execute_script(
        _LUMINANCE
        + """
        return [...document.querySelectorAll('.charts-css.bar, .charts-css.column')].map(chart => {
            const upright = chart.classList.contains('column');
            const card = getComputedStyle(chart.closest('section')).backgroundColor;
            return [...chart.querySelectorAll('tbody td')].map(cell => {
                const box = cell.getBoundingClientRect(), label = cell.previousElementSibling.getBoundingClientRect();
                return {
                    size: parseFloat(cell.style.getPropertyValue('--size')),
                    length: upright ? box.height : box.width,
                    gap: upright ? 0 : Math.min(Math.abs(box.left - label.right), Math.abs(label.left - box.right)),
                    rightward: box.left >= label.right - 1,
                    upright: upright,
                    contrast: contrast(getComputedStyle(cell).backgroundColor, card),
                };
            });
        });
        """
    )
    assert len(drawn) == 8
    for chart in drawn:
        longest = max(bar["length"] for bar in chart)
        top = max(bar["size"] for bar in chart)
        assert longest > 60
        for bar in chart:
            assert bar["length"] == pytest.approx(longest * bar["size"] / top, abs=1.5)
            assert bar["contrast"] >= 3
            assert bar["gap"] < 1.5
            assert bar["upright"] or bar["rightward"] == (lang == "en")


@pytest.mark.parametrize(("lang", "size", "scheme"), VIEWS)
def test_growth_is_drawn(show, lang, size, scheme):
    """The line of growth is filled beneath its points, and time runs from left to right in both languages."""
    browser = show(lang, size, scheme)
    points = browser.execute_script(
        """
        return [...document.querySelectorAll('.charts-css.area tbody tr')].map(row => {
            const cell = row.querySelector('td'), fill = getComputedStyle(cell, '::before');
            return [row.getBoundingClientRect().left, cell.getBoundingClientRect().height,
                    fill.clipPath, fill.backgroundColor];
        });
        """
    )
    assert len(points) == 3
    assert [left for left, *_ in points] == sorted(left for left, *_ in points)
    for _, height, path, colour in points:
        assert height > 100
        assert path.startswith("polygon(")
        assert colour not in ("rgba(0, 0, 0, 0)", "transparent")


@pytest.mark.parametrize(("lang", "size", "scheme"), VIEWS)
def test_text_can_be_read(show, lang, size, scheme):
    """All text has contrast enough, and what stands beside a bar stays inside its card and clear of its neighbours."""
    browser = show(lang, size, scheme)
    weak = browser.execute_script(
        _LUMINANCE
        + """
        const found = [];
        for (const piece of document.querySelectorAll('h1, h2, p, a, b, th, td, dd, dt, .data, .label, .tiles span')) {
            if (!piece.textContent.trim() || piece.matches('.charts-css td, thead *')) continue;
            let ground = piece;
            while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)' || ground.matches('.charts-css *'))
                ground = ground.parentElement;
            const seen = contrast(getComputedStyle(piece).color, getComputedStyle(ground).backgroundColor);
            if (seen < 4.5) found.push([piece.textContent, seen]);
        }
        return found;
        """
    )
    assert weak == []
    astray = browser.execute_script(
        """
        const found = [];
        for (const chart of document.querySelectorAll('.charts-css')) {
            const card = chart.closest('section').getBoundingClientRect();
            const boxes = [...chart.querySelectorAll('.data, .label')].map(
                piece => [piece.textContent, piece.getBoundingClientRect()]);
            boxes.forEach(([text, box], at) => {
                if (box.left < card.left || box.right > card.right || box.top < card.top || box.bottom > card.bottom)
                    found.push([text, 'outside']);
                for (const [other, near] of boxes.slice(at + 1))
                    if (Math.min(box.right, near.right) - Math.max(box.left, near.left) > 1 &&
                        Math.min(box.bottom, near.bottom) - Math.max(box.top, near.top) > 1)
                        found.push([text, other]);
            });
        }
        return found;
        """
    )
    assert astray == []


@pytest.mark.parametrize("lang", ["en", "fa"])
def test_direction_and_letters(show, lang):
    """The page runs in its language's direction, and Persian letters join: a word is narrower than its letters."""
    browser = show(lang)
    direction, joined, apart = browser.execute_script(
        """
        const measure = text => {
            const probe = document.createElement('span');
            probe.textContent = text;
            probe.style.whiteSpace = 'nowrap';
            document.querySelector('h1').append(probe);
            const width = probe.getBoundingClientRect().width;
            probe.remove();
            return width;
        };
        return [getComputedStyle(document.body).direction, measure('مشتریان'), measure([...'مشتریان'].join('\u200c'))];
        """
    )
    assert direction == ("rtl" if lang == "fa" else "ltr")
    assert joined < apart
    titles = browser.execute_script(
        "return [...document.querySelectorAll('h1, h2')].map(title => {"
        " const range = document.createRange(); range.selectNodeContents(title);"
        " const text = range.getBoundingClientRect(), box = title.getBoundingClientRect();"
        " return text.left - box.left > box.right - text.right; })"
    )
    assert set(titles) == {lang == "fa"}


@pytest.mark.parametrize("lang", ["en", "fa"])
def test_a_screen_reader_finds_tables(show, lang):
    """Each chart is a table with a name, rows and headings in what assistive programs are told."""
    browser = show(lang)
    browser.execute_cdp_cmd("Accessibility.enable", {})
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    told = [node for node in nodes if not node["ignored"]]
    roles = [node["role"]["value"] for node in told]
    tables = [node for node in told if node["role"]["value"] == "table"]
    shown = browser.execute_script("return document.querySelectorAll('table').length")
    assert len(tables) == shown == 12
    assert all(table["name"]["value"].strip() for table in tables)
    assert roles.count("rowheader") == browser.execute_script(
        "return document.querySelectorAll('tbody tr').length"
    )
    assert roles.count("columnheader") >= 2 * shown


@pytest.mark.parametrize("lang", ["en", "fa"])
def test_it_prints_light_on_every_screen(show, lang):
    """On paper the page is dark on light, also for a reader of dark screens; links to sections stay away."""
    browser = show(lang, scheme="dark", media="print")
    seen = browser.execute_script(
        _LUMINANCE
        + """
        const body = getComputedStyle(document.body);
        return [luminance(body.backgroundColor), luminance(body.color),
                getComputedStyle(document.querySelector('nav')).display,
                getComputedStyle(document.querySelector('.charts-css')).printColorAdjust];
        """
    )
    assert seen[0] == 1
    assert seen[1] < 0.05
    assert seen[2:] == ["none", "exact"]
    paper = {"printBackground": False, "paperWidth": 8.27, "paperHeight": 11.69}
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert pdf.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 3 <= pages <= 12
