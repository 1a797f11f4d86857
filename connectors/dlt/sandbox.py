"""The Department of Land Transport, made up: SOAP 1.1 at `/linkage`, the password as digest. See dlt.wsdl."""

from __future__ import annotations

from datetime import date
from typing import Any

from connectors.population import Person
from connectors.population_files import files_of
from connectors.sandbox_soap import Operation, SoapAgency, run_soap

_NAMESPACE = "urn:made-up:dlt:linkage"


def vehicle(one: Person) -> dict[str, Any] | None:
    """The vehicle in a person's name, None for who has none."""
    held = files_of(one).vehicle
    if held is None:
        return None
    motorcycle = held.cc < 500
    answer = {
        "plate1": held.plate[0],
        "plate2": held.plate[1],
        "offLocCode": f"{int(one.house.place[6]) * 10}",
        "vehTypeDesc": "รถจักรยานยนต์ส่วนบุคคล" if motorcycle else "รถยนต์นั่งส่วนบุคคลไม่เกิน 7 คน",
        "brnDesc": held.brand[0],
        "modelName": held.brand[1],
        "numBody": held.body,
        "numEng": held.engine,
        "fuelDesc": "เบนซิน",
        "cc": held.cc,
        "regDate": _buddhist(held.registered),
        "expDate": _buddhist(held.expires),
        "carStatus": "1",
        "holdFlag": "N",
        "owner1": f"{one.first_name}  {one.last_name}",
        "docNo1": one.citizen_id,
    }
    return {"getVehicleInfoOutput": answer}


def licence(one: Person) -> dict[str, Any] | None:
    """A person's driving licence, None for who has none."""
    held = files_of(one).licence
    if held is None:
        return None
    answer = {
        "docNo": one.citizen_id,
        "pltNo": held.number,
        "pltDesc": held.kind,
        "issDate": _buddhist(held.issued),
        "expDate": _buddhist(held.expires),
        "conditionDesc": "-",
    }
    return {"driverLicenceInfo": answer}


def _buddhist(day: date) -> str:
    return f"{day.year + 543:04}{day.month:02}{day.day:02}"


def _operation(name: str, record: Any) -> Operation:
    unknown = ("Client", "", "errorCode", "DLT-404")
    return Operation(name, name, f"{name}Response", f"{_NAMESPACE}#{name}", "docNo", record, unknown)


AGENCY = SoapAgency(
    path="/linkage",
    namespace=_NAMESPACE,
    version="1.1",
    digest=True,
    username="SOURCE_DLT__USERNAME",
    password="SOURCE_DLT__PASSWORD",  # noqa: S106
    operations=(_operation("getVehicleInfo", vehicle), _operation("getDriverLicence", licence)),
)

if __name__ == "__main__":
    run_soap(AGENCY)
