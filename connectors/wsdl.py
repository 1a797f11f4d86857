"""A source's WSDL 1.1, read for one purpose: does it know the operation, the action and the elements of the settings?

It is a file of the agency's folder. Nothing it refers to is fetched: an element whose type lies in another
document is not held against anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.json_answer import BadAnswer
from connectors.xml_answer import parse_xml

_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_SOAP: Final = {"1.1": "{http://schemas.xmlsoap.org/wsdl/soap/}", "1.2": "{http://schemas.xmlsoap.org/wsdl/soap12/}"}

Fault = tuple[str, str, str]


def wsdl_faults(document: bytes, settings: Mapping[str, Any]) -> Iterator[Fault]:
    """What the settings and the WSDL do not agree on: (JSON Pointer into the connector, English, Thai)."""
    try:
        root = parse_xml(document, "text/xml")
    except BadAnswer:
        root = None
    if root is None or root.tag != f"{_WSDL}definitions":
        yield "/settings/wsdl", "the file is not WSDL 1.1", "ไฟล์ไม่ใช่ WSDL 1.1"
        return
    name = settings["operation"]
    operation = next(
        (each for each in root.iterfind(f"{_WSDL}portType/{_WSDL}operation") if each.get("name") == name), None
    )
    if operation is None:
        yield "/settings/operation", "the WSDL has no such operation", "WSDL ไม่มี operation นี้"
        return
    yield from _binding(root, settings)
    for which, key in (("input", "request"), ("output", "response")):
        yield from _message(root, operation.find(f"{_WSDL}{which}"), key, settings)


def _binding(root: Any, settings: Mapping[str, Any]) -> Iterator[Fault]:
    soap = _SOAP[settings["version"]]
    bindings = [each for each in root.iterfind(f"{_WSDL}binding") if each.find(f"{soap}binding") is not None]
    if not bindings:
        yield "/settings/version", "the WSDL has no binding of this SOAP version", "WSDL ไม่มี binding ของ SOAP รุ่นนี้"
        return
    for binding in bindings:
        for operation in binding.iterfind(f"{_WSDL}operation"):
            if operation.get("name") != settings["operation"]:
                continue
            told = operation.find(f"{soap}operation")
            style = (None if told is None else told.get("style")) or binding.find(f"{soap}binding").get("style")
            if style == "rpc":
                yield "/settings/operation", "RPC style is not supported: document/literal only", "ไม่รองรับแบบ RPC"
            if (None if told is None else told.get("soapAction")) not in (None, settings.get("action", "")):
                yield "/settings/action", "the WSDL names another SOAPAction", "SOAPAction ไม่ตรงกับ WSDL"
            return
    yield "/settings/operation", "no binding of this SOAP version has the operation", "ไม่มี binding ของ operation นี้"


def _message(root: Any, told: Any, key: str, settings: Mapping[str, Any]) -> Iterator[Fault]:
    place = f"/settings/{key}/element"
    wanted = settings[key]
    part = None
    if told is not None:
        message = _local(told.get("message", ""))
        part = next(
            (each.find(f"{_WSDL}part") for each in root.iterfind(f"{_WSDL}message") if each.get("name") == message),
            None,
        )
    if part is None or part.get("element") is None:
        yield place, "the WSDL's message has no element", "ข้อความใน WSDL ไม่มี element"
        return
    prefix, _, local = part.get("element").rpartition(":")
    namespace = part.nsmap.get(prefix or None)
    if local != wanted["element"]:
        yield place, "the WSDL names another element", "element ไม่ตรงกับ WSDL"
        return
    if namespace != wanted["namespace"]:
        yield f"/settings/{key}/namespace", "the WSDL names another namespace", "namespace ไม่ตรงกับ WSDL"
        return
    schema = next((each for each in root.iter(f"{_XSD}schema") if each.get("targetNamespace") == namespace), None)
    element = None if schema is None else _named(schema.iterfind(f"{_XSD}element"), local)
    if schema is None or element is None or key != "request":
        return
    if (schema.get("elementFormDefault") == "qualified") is not wanted.get("qualified", True):
        yield (
            "/settings/request/qualified",
            "the WSDL's elementFormDefault says otherwise",
            "ไม่ตรงกับ elementFormDefault",
        )
    for i, parameter in enumerate(wanted["parameters"]):
        if not _leads_somewhere(schema, element, parameter["at"].split("/")[1:]):
            yield f"/settings/request/parameters/{i}/at", "the WSDL has no such element", "WSDL ไม่มี element นี้"


def _leads_somewhere(schema: Any, element: Any, steps: list[str]) -> bool:
    for step in steps:
        kind = element.find(f"{_XSD}complexType")
        if kind is None:
            kind = _named(schema.iterfind(f"{_XSD}complexType"), _local(element.get("type", "")))
        if kind is None:
            return element.get("type", "") != "" and not _is_simple(element)
        element = _named(kind.iter(f"{_XSD}element"), step)
        if element is None:
            return False
    return True


def _is_simple(element: Any) -> bool:
    prefix = element.get("type", "").rpartition(":")[0]
    return bool(element.nsmap.get(prefix or None) == _XSD.strip("{}"))


def _named(elements: Iterator[Any], name: str) -> Any:
    return next((each for each in elements if each.get("name") == name), None)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
