"""Elements of HTML and SVG. Texts and attributes are escaped when they are written."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None


def tag(name: str, *children: Child | Iterable[Child], **attributes: object) -> Element:
    """Return an element. `class_` is class, `aria_label` is aria-label; None leaves one out.

    >>> tostring(tag("b", "1 < 2", class_="x"), encoding="unicode")
    '<b class="x">1 &lt; 2</b>'
    """
    element = Element(name)
    for key, value in attributes.items():
        if value is not None:
            element.set(key.rstrip("_").replace("_", "-"), str(value))
    for child in children:
        if child is None or isinstance(child, str | Element):
            _append(element, child)
        else:
            for one in child:
                _append(element, one)
    return element


def _append(element: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, Element):
        element.append(child)
    elif len(element):
        element[-1].tail = (element[-1].tail or "") + child
    else:
        element.text = (element.text or "") + child


def html(root: Element) -> str:
    """Return a whole document."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"
