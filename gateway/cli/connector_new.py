"""The files of a new agency: an agency.yaml, a schema and an example that pass every check, to be made true.

What stands in them is made up and says so; the agency's own people put in its endpoint, its field names and its
metadata, and `linkage connector check` tells what they forgot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

KINDS: Final = ("rest", "soap", "sql")
TEST_PERSON: Final = "9111111111114"

_AGENCY = """\
# {agency}: replace what is made up, field by field; `linkage connector check` tells what is missing.
format: agency/1
id: {agency}
title:
  en: Agency {agency}
  th: หน่วยงาน {agency}
contacts:
  owner: {{email: owner@{agency}.example}}
  steward: {{email: steward@{agency}.example}}
  dpo: {{email: dpo@{agency}.example}}
  technical: {{email: technical@{agency}.example}}

services:
  - id: {service}
    title:
      en: Record of a person
      th: ข้อมูลบุคคล
    identifier: citizen_id
    schema: {service}.json
    category: personal
    level: "02"
    officer_required: false
    deadline_seconds: 5
    freshness: live
    # Where the source's answer names the person asked about; `none` only if it cannot.
    echo: {echo}
    test_identifier: "{person}"
    metadata:
      data_type: record
      title: {{en: Record of a person, th: ข้อมูลบุคคล}}
      owner_org: {{en: Agency {agency}, th: หน่วยงาน {agency}}}
      maintainer: {{en: Agency {agency}, th: หน่วยงาน {agency}}}
      maintainer_email: steward@{agency}.example
      tags: [{agency}]
      notes: {{en: What the record holds., th: รายละเอียดของข้อมูล}}
      objective: {{en: What it is shared for., th: วัตถุประสงค์ของการแบ่งปัน}}
      update_frequency_unit: live
      geo_coverage: country
      data_source: {{en: The register, th: ทะเบียน}}
      data_format: {format}
      data_category: personal
      license_id: agreement-only
    connector:
{connector}
"""

_CONNECTORS: Final = {
    "rest": """\
kind: rest
endpoint: https://source.{agency}.example
settings:
  method: POST
  path: /person
  identifier: {{in: body, at: /personID, as: string}}
  auth:
    scheme: api_key
    header: X-API-Key
    key: {{env: SOURCE_{upper}__API_KEY}}
  not_found:
    - {{status: 404}}
mapping:
  missing: ["-"]
  fields:
    full_name: {{type: text, path: /fullName, required: true}}
    date_of_birth: {{type: date, path: /birthDate, calendar: buddhist, form: yyyymmdd}}""",
    "soap": """\
kind: soap
endpoint: https://source.{agency}.example
settings:
  version: "1.1"
  wsdl: {agency}.wsdl
  path: /person
  operation: getPerson
  action: urn:{agency}:person#getPerson
  request:
    element: getPerson
    namespace: urn:{agency}:person
    parameters:
      - {{at: /personID}}
  response: {{element: getPersonResponse, namespace: "urn:{agency}:person"}}
  security:
    scheme: username_digest
    username: {{env: SOURCE_{upper}__USERNAME}}
    password: {{env: SOURCE_{upper}__PASSWORD}}
  not_found:
    - {{path: /Fault/detail/errorCode, equals: [NOT-FOUND]}}
mapping:
  missing: ["-"]
  fields:
    full_name: {{type: text, path: /fullName, required: true}}
    date_of_birth: {{type: date, path: /birthDate, calendar: buddhist, form: yyyymmdd}}""",
    "sql": """\
kind: sql
endpoint: postgresql://source.{agency}.example/register
settings:
  query: |
    SELECT person_id, full_name, birth_date
    FROM person
    WHERE person_id = :identifier
  account:
    username: {{env: SOURCE_{upper}__USERNAME}}
    password: {{env: SOURCE_{upper}__PASSWORD}}
  folder: {{env: SOURCE_{upper}__DATABASE_FOLDER}}
mapping:
  missing: ["-"]
  fields:
    full_name: {{type: text, path: /full_name, required: true}}
    date_of_birth: {{type: date, path: /birth_date, calendar: buddhist, form: yyyymmdd}}""",
}
_ECHO: Final = {"rest": "/personID", "soap": "/personID", "sql": "/person_id"}

_WSDL: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<!-- Made up: put the source's own in its place. -->
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:{agency}:person" targetNamespace="urn:{agency}:person">
  <types>
    <x:schema targetNamespace="urn:{agency}:person" elementFormDefault="qualified">
      <x:element name="getPerson">
        <x:complexType><x:sequence><x:element name="personID" type="x:string"/></x:sequence></x:complexType>
      </x:element>
      <x:element name="getPersonResponse">
        <x:complexType><x:sequence>
          <x:element name="personID" type="x:string"/>
          <x:element name="fullName" type="x:string"/>
          <x:element name="birthDate" type="x:string"/>
        </x:sequence></x:complexType>
      </x:element>
    </x:schema>
  </types>
  <message name="getPersonIn"><part name="body" element="t:getPerson"/></message>
  <message name="getPersonOut"><part name="body" element="t:getPersonResponse"/></message>
  <portType name="Person">
    <operation name="getPerson"><input message="t:getPersonIn"/><output message="t:getPersonOut"/></operation>
  </portType>
  <binding name="PersonSoap" type="t:Person">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="getPerson">
      <soap:operation soapAction="urn:{agency}:person#getPerson"/>
      <input><soap:body use="literal"/></input>
      <output><soap:body use="literal"/></output>
    </operation>
  </binding>
</definitions>
"""
_ANSWER: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
  <s:Body>
    <t:getPersonResponse xmlns:t="urn:{agency}:person">
      <t:personID>{person}</t:personID>
      <t:fullName>สมมุติ จำลอง</t:fullName>
      <t:birthDate>25000300</t:birthDate>
    </t:getPersonResponse>
  </s:Body>
</s:Envelope>
"""
_ROWS: Final = """\
CREATE TABLE person (person_id char(13), full_name varchar(200), birth_date integer);
INSERT INTO person VALUES ('{person}', 'สมมุติ จำลอง', 25000300);
"""


def new_folder(agency: str, kind: str) -> dict[str, str]:
    """The files of a new agency, by name: those that begin with `schemas/` belong to the folder of schemas."""
    upper = agency.upper().replace("-", "_")
    service = f"{agency}.person.v1"
    told = {"agency": agency, "upper": upper, "service": service, "person": TEST_PERSON}
    connector = _CONNECTORS[kind].format(**told)
    indented = "\n".join(f"      {line}" for line in connector.split("\n"))
    written = {"rest": "JSON", "soap": "XML", "sql": "SQL"}[kind]
    example: dict[str, Any] = {
        "service": service,
        "about": "Born in March of BE 2500, on a day that nobody knows.",
        "identifier": TEST_PERSON,
    }
    files = {"__init__.py": f'"""The agency `{agency}`: agency.yaml says all that the gateway needs."""\n'}
    if kind == "rest":
        example["answer"] = {"personID": TEST_PERSON, "fullName": "สมมุติ  จำลอง", "birthDate": 25000300}
    elif kind == "soap":
        example |= {"answer_file": "person.xml", "content_type": "text/xml; charset=utf-8"}
        files |= {f"{agency}.wsdl": _WSDL.format(**told), "examples/person.xml": _ANSWER.format(**told)}
    else:
        example["database"] = "person.sql"
        files["examples/person.sql"] = _ROWS.format(**told)
    example |= {"record": {"full_name": "สมมุติ จำลอง", "date_of_birth": "1957-03"}, "echo": TEST_PERSON}
    return {
        **files,
        "agency.yaml": _AGENCY.format(**told, connector=indented, echo=_ECHO[kind], format=written),
        "examples/person.json": json.dumps(example, ensure_ascii=False, indent=2) + "\n",
        f"schemas/{service}.json": json.dumps(_schema(service), ensure_ascii=False, indent=2) + "\n",
    }


def write_folder(agency: str, kind: str, folder: Path, schemas: Path) -> list[Path]:
    """Writes a new agency's files; returns them. FileExistsError if one is there: nothing is then written."""
    files = {
        (schemas / name.removeprefix("schemas/") if name.startswith("schemas/") else folder / name): text
        for name, text in new_folder(agency, kind).items()
    }
    for path in files:
        if path.exists():
            raise FileExistsError(str(path))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


def _schema(service: str) -> dict[str, Any]:
    date = "^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:linkage:schema:{service}",
        "title": "Record of a person",
        "x-title-th": "ข้อมูลบุคคล",
        "description": "What the record is, and the law behind it. Every property is always there; null for nothing.",
        "type": "object",
        "additionalProperties": False,
        "required": ["full_name", "date_of_birth"],
        "properties": {
            "full_name": {
                "title": "Full name",
                "x-title-th": "ชื่อและชื่อสกุล",
                "type": "string",
                "minLength": 1,
                "maxLength": 400,
                "examples": ["สมมุติ จำลอง"],
                "x-level": "02",
                "x-pdpa": "general",
                "x-tgix": "cd:PersonNameTH",
            },
            "date_of_birth": {
                "title": "Date of birth",
                "x-title-th": "วันเดือนปีเกิด",
                "description": "Common era, as precise as the source knows: YYYY, YYYY-MM or YYYY-MM-DD.",
                "type": ["string", "null"],
                "pattern": date,
                "examples": ["1957-03"],
                "x-level": "02",
                "x-pdpa": "general",
                "x-tgix": "cd:PersonBirthDate",
            },
        },
    }
