"""Draw docs/images/playground*.png: start `equinfo playground`, then run this with its address."""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
SHOTS = (  # name, view, width and height, colours
    ("playground", "Pieces", (1000, 1320), "light"),
    ("playground-bits", "Bits", (1000, 1290), "light"),
    ("playground-prefix", "Prefix", (1000, 1080), "light"),
    ("playground-phone", "Pieces", (390, 1060), "dark"),
)
COLOURS = 256


def shoot(page: Page, name: str, tab: str, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#pieces li")
    page.get_by_role("tab", name=tab).click()
    chip = page.locator(f"#{tab.lower()} ol").nth(1 if tab != "Bits" else 0).locator("li").nth(2)
    chip.hover()
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def main(address: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium)
        for name, tab, (width, height), scheme in SHOTS:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            shoot(page, name, tab, address)
            page.close()


if __name__ == "__main__":
    main(sys.argv[1])
