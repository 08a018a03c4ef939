"""Figures inside the page: matplotlib's SVG made small, its colours named for light and dark."""

import re
from collections.abc import Callable
from colorsys import hls_to_rgb, rgb_to_hls
from html import unescape
from xml.etree import ElementTree

from experiments.report.markup import Html

GROUND = {"light": "#ffffff", "dark": "#11151a"}
INK = {"light": "#1b1f24", "dark": "#e6edf3"}
CONTRAST = {"c": 3.0, "t": 4.5}
"""What marks and texts need at least against the ground (WCAG 2.2: 1.4.11, 1.4.3)."""
FAINT = 1.7
"""The contrast with white below which a colour is a tint, for a ground."""

LOOK = "data-look"
"""The attribute in which `inline` leaves an element's style, for `classes`: there are few, and they recur."""

COLOUR = re.compile(r"#([0-9a-f]{6})\b")
NUMBER = re.compile(r"-?\d+\.\d{3,}")
NAMED = re.compile(r"--([ct])([0-9a-f]{6})")


def inline(svg: str, prefix: str, label: str) -> Html:
    """An SVG file's drawing as an element of the page: ids begin with `prefix`, colours are CSS variables."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(name): value for name, value in element.attrib.items()}
    _drop(root, lambda element: element.tag in ("metadata", "style"))
    ids = _new_ids(root, prefix)
    for element in root.iter():
        _tidy(element, ids)
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    size = f"--width: {_points(width):g}px; aspect-ratio: {_points(width):g} / {_points(height):g}"
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label, "style": size}
    return Html(ElementTree.tostring(root, encoding="unicode"))


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _points(length: str) -> float:
    return float(length.removesuffix("pt"))


def _drop(parent: ElementTree.Element, unwanted: Callable[[ElementTree.Element], bool]) -> None:
    for child in list(parent):
        if unwanted(child):
            parent.remove(child)
        else:
            _drop(child, unwanted)


def _new_ids(root: ElementTree.Element, prefix: str) -> dict[str, str]:
    """A short new id for every id that is referred to."""
    values = [value for e in root.iter() for name, value in e.attrib.items() if name == "href" or "url(" in value]
    used = dict.fromkeys(match for value in values for match in re.findall(r"(?:^|url\()#([\w.-]+)", value))
    return {old: f"{prefix}.{number}" for number, old in enumerate(used)}


def _tidy(element: ElementTree.Element, ids: dict[str, str]) -> None:
    """Shorten one element, and name its ids and colours anew."""
    if element.tag not in ("text", "tspan") or not (element.text or "").strip():
        element.text = None
    element.tail = None
    attributes = element.attrib
    attributes["id"] = ids.get(attributes.get("id", ""), "")
    for name, value in attributes.items():
        if name == "href" and value.startswith("#"):
            attributes[name] = "#" + ids[value[1:]]
        elif "url(#" in value:
            attributes[name] = re.sub(r"url\(#([^)]*)\)", lambda match: f"url(#{ids[match[1]]})", value)
        elif name in ("d", "x", "y", "transform", "points"):
            attributes[name] = " ".join(NUMBER.sub(_rounded, value).split())
    kind = "t" if element.tag in ("text", "tspan") else "c"
    attributes[LOOK] = _style(attributes.pop("style", ""), kind)
    element.attrib = {name: value for name, value in attributes.items() if value}


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _style(style: str, kind: str) -> str:
    """A style with colours named by kind ("c": marks, "t": texts) and the page's typeface."""
    kept = []
    for part in style.split(";"):
        name, _, value = (text.strip() for text in part.partition(":"))
        if name == "font-family":
            value = "monospace" if "mono" in value.split(",")[0].lower() else "inherit"
        if name and value != "inherit":
            value = COLOUR.sub(rf"var(--{kind}\1)", NUMBER.sub(_rounded, value))
            kept.append(f"{name}:{value}")
    return ";".join(kept)


def classes(content: str) -> tuple[str, str]:
    """The page's content with a class for every look its drawings have, and the CSS that defines them."""
    looks = {look: f"k{number}" for number, look in enumerate(dict.fromkeys(re.findall(f'{LOOK}="([^"]*)"', content)))}
    content = re.sub(f'{LOOK}="([^"]*)"', lambda match: f'class="{looks[match[1]]}"', content)
    return content, "\n".join(f".{name}{{{unescape(look)}}}" for look, name in looks.items())


# -- colours -------------------------------------------------------------------------------------------------


def palette(content: str, scheme: str) -> str:
    """CSS that defines the ground, the ink and every colour named in `content` for a scheme, "light" or "dark"."""
    names = sorted({*NAMED.findall(content), ("c", "000000"), ("c", "ffffff")})
    colours = "".join(f"--{kind}{colour}:{shade(kind, '#' + colour, scheme)};" for kind, colour in names)
    return f":root{{--ground:{GROUND[scheme]};--ink:{INK[scheme]};{colours}}}"


def shade(kind: str, colour: str, scheme: str) -> str:
    """A figure's colour in a scheme.

    White is the ground; white text, which stands on a colour, stays. In the dark, dark greys and faint tints (which are
    there for dark text to be read on) are turned over. Whatever else does not stand out is moved away from the ground
    until it does.
    """
    if colour == "#ffffff":
        return colour if kind == "t" else GROUND[scheme]
    if colour == "#000000":
        return INK[scheme]
    hue, lightness, saturation = rgb_to_hls(*_rgb(colour))
    if scheme == "dark" and kind == "c" and contrast(colour, "#ffffff") < FAINT:
        return _hex(hue, max(1 - lightness, 0.18), min(saturation, 0.5))
    if scheme == "dark" and saturation < 0.05 and lightness < 0.5:
        lightness = 1 - lightness
    step = 0.01 if scheme == "dark" else -0.01
    if kind == "t" or scheme == "dark":
        while 0 < lightness < 1 and contrast(_hex(hue, lightness, saturation), GROUND[scheme]) < CONTRAST[kind]:
            lightness = min(max(lightness + step, 0), 1)
    return _hex(hue, lightness, saturation)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in hls_to_rgb(hue, lightness, saturation))
