"""Looking at Dagster's UI in headless Chromium.

`python -m deputies_lake_tests.browser URL PICTURE` takes the picture of the asset graph that the README shows.
"""

import shutil
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait

from deputies_lake.contracts import LAYERS

_PATIENCE_SECONDS = 60


def is_installed() -> bool:
    """Whether this machine has Chromium and its driver."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium(width: int = 2600, height: int = 2200) -> Iterator[Chrome]:
    """A headless browser that asks nothing of any network but what it is told to open."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--window-size={width},{height}",
    ):
        options.add_argument(argument)
    browser = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


def open_asset_graph(browser: Chrome, url: str, unfolded_layers: Collection[str], titles: Collection[str]) -> None:
    """Open the asset graph with these layers unfolded and draw it smaller until each of these titles was in view.

    Drawn very small, the UI folds every layer again: unfold few layers to see all of their tables.

    Raises `TimeoutException`, which names what is missing.
    """
    unfolded = ",".join(f"global@global:{layer}" for layer in unfolded_layers)
    browser.get(f"{url}/asset-groups?{urlencode({'expanded': unfolded})}")
    missing = {*titles}

    def were_shown(_: Chrome) -> bool:
        titles = _titles(browser)
        missing.difference_update([title for title in missing if any(_is_short_for(title, shown) for shown in titles)])
        if missing:
            # What is out of view is not drawn at all.
            browser.find_element(By.XPATH, "//*[@aria-label='zoom_out']").click()
        return not missing

    waiting = WebDriverWait(browser, _PATIENCE_SECONDS, 1, [NoSuchElementException, StaleElementReferenceException])
    try:
        waiting.until(were_shown)
    except TimeoutException as error:
        raise TimeoutException(f"not shown: {sorted(missing)}") from error


def wait_for_texts(browser: Chrome, url: str, *texts: str) -> None:
    """Open a page and wait until it shows all of `texts`; its parts arrive one by one.

    Raises `TimeoutException`, which names what is missing.
    """
    browser.get(url)
    for text in texts:
        shown = text_to_be_present_in_element((By.TAG_NAME, "body"), text)
        WebDriverWait(browser, _PATIENCE_SECONDS).until(shown, f"not shown: {text}")


def _is_short_for(title: str, shown: str) -> bool:
    """Whether the UI shows this title so, long ones without their middle."""
    start, cut, end = shown.partition("…")
    return title == shown or bool(cut and title.startswith(start) and title.endswith(end))


def _titles(browser: Chrome) -> set[str]:
    """The first line of each node of the graph that is drawn."""
    texts: list[str] = browser.execute_script(
        "return Array.from(document.querySelectorAll('foreignObject > *'), node => node.innerText)"
    )
    return {text.split("\n")[0] for text in texts}


if __name__ == "__main__":
    with chromium() as opened:
        open_asset_graph(opened, sys.argv[1], LAYERS, ["fct_expenses", "kaggle_refunds"])
        # The graph glides into its place.
        time.sleep(3)
        opened.save_screenshot(str(Path(sys.argv[2])))
