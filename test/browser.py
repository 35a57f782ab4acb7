# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A real browser without a window, for pages that are made."""

import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypedDict, cast

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "window-size=1300,900",
)

_PATIENCE = 60
"""Seconds until a page that is still busy is one that never gets through."""


class _Metric(TypedDict):
    name: str
    value: float


class _Metrics(TypedDict):
    metrics: list[_Metric]


class _Driver(Protocol):
    """What of selenium's driver is used."""

    def get(self, url: str) -> None: ...
    def execute_cdp_cmd(self, command: str, arguments: dict[str, str]) -> _Metrics: ...
    def execute_script(self, script: str, *arguments: str) -> object: ...
    def get_log(self, log_type: str) -> list[dict[str, str]]: ...
    def quit(self) -> None: ...


class Browser:
    """Opens one page after the other."""

    def __init__(self, driver: _Driver):
        self._driver = driver

    def open(self, path: Path) -> float:
        """How many seconds of a processor the page takes until all is there that it draws."""
        began = time.monotonic()
        self._driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        self._driver.get(path.as_uri())
        while not self.ask("Bokeh.documents.every(one => one.is_idle)"):
            assert time.monotonic() < began + _PATIENCE, "the page never gets through"
            time.sleep(0.02)
        metrics = self._driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    def ask(self, expression: str) -> object:
        """The value of an expression of JavaScript on the page."""
        return self._driver.execute_script(f"return {expression}")

    def choose(self, select: str, option: str):
        """Take an option of a select, which is found by a CSS selector."""
        self._driver.execute_script(
            "const [select, option] = arguments; const found = document.querySelector(select);"
            "found.value = option; found.dispatchEvent(new Event('change'))",
            select,
            option,
        )

    def complaints(self) -> list[str]:
        """What the page wrote on the console but for information, since the last time."""
        log = self._driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] not in ("INFO", "DEBUG")]


@contextmanager
def open_browser(profile: Path) -> Generator[Browser]:
    """A browser with an empty profile in a folder; the test is skipped where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no chromium with chromium-driver: the page is not opened")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = cast(_Driver, webdriver.Chrome(options, Service(driver)))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()
