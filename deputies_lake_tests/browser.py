"""Looking at Dagster's UI in headless Chromium.

`python -m deputies_lake_tests.browser URL PICTURE` takes the picture of the asset graph that the README shows.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait

# A table that shows once its layer is unfolded.
LAYERS = {"raw": "kaggle_refunds", "staging": "rejected_rows", "star": "fct_expenses"}
_PATIENCE_SECONDS = 60

T = TypeVar("T")


def is_installed() -> bool:
    """Whether this machine has Chromium and its driver."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium(width: int = 1640, height: int = 1300) -> Iterator[Chrome]:
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


def open_asset_graph(browser: Chrome, url: str) -> list[str]:
    """Open the asset graph with every layer unfolded; gives the texts of its nodes."""
    browser.get(f"{url}/asset-groups")
    for layer, table in LAYERS.items():
        _when_still(browser, partial(_unfold, browser, layer))
        _wait_for(browser, table)
    return _when_still(browser, lambda: [node.text for node in _nodes(browser)])


def wait_for_texts(browser: Chrome, url: str, *texts: str) -> None:
    """Open a page and wait until it shows all of `texts`; its parts arrive one by one.

    Raises `TimeoutException`, which names what is missing.
    """
    browser.get(url)
    for text in texts:
        shown = text_to_be_present_in_element((By.TAG_NAME, "body"), text)
        WebDriverWait(browser, _PATIENCE_SECONDS).until(shown, f"not shown: {text}")


def _unfold(browser: Chrome, layer: str) -> bool:
    ActionChains(browser).move_to_element(_wait_for(browser, layer)).double_click().perform()
    return True


def _when_still(browser: Chrome, action: Callable[[], T]) -> T:
    """What `action` gives once the graph holds still: while it is drawn anew its nodes are replaced."""
    waiting = WebDriverWait(browser, _PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException])
    return waiting.until(lambda _: action())


def _wait_for(browser: Chrome, title: str) -> WebElement:
    def node(_: Chrome) -> WebElement | None:
        return next((found for found in _nodes(browser) if found.text.split("\n")[0] == title), None)

    waiting = WebDriverWait(browser, _PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException])
    found = waiting.until(node)
    assert found is not None
    return found


def _nodes(browser: Chrome) -> list[WebElement]:
    return browser.find_elements(By.XPATH, "//*[name()='foreignObject']")


if __name__ == "__main__":
    with chromium() as opened:
        open_asset_graph(opened, sys.argv[1])
        # The graph glides into its place.
        time.sleep(3)
        opened.save_screenshot(str(Path(sys.argv[2])))
