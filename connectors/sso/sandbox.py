"""The Social Security Office, made up: SOAP 1.2 at `/insured`, the password as text. See sso.wsdl. All assumed."""

from __future__ import annotations

from typing import Any

from connectors.population import Person, hospitals
from connectors.population_files import files_of
from connectors.sandbox_soap import Operation, SoapAgency, run_soap

_NAMESPACE = "urn:made-up:sso:insured"


def insured(one: Person) -> dict[str, Any] | None:
    """A person's standing, None for who is not insured."""
    held = files_of(one).insured
    if held is None:
        return None
    return {
        "ssoNum": one.citizen_id,
        "insuredSection": held.section,
        "employerAccountNo": held.employer,
        "hospitalName": hospitals(one)[0][1],
        "status": "A" if held.active else "E",
    }


AGENCY = SoapAgency(
    path="/insured",
    namespace=_NAMESPACE,
    version="1.2",
    digest=False,
    username="SOURCE_SSO__USERNAME",
    password="SOURCE_SSO__PASSWORD",  # noqa: S106
    operations=(
        Operation(
            "getInsuredPerson",
            "getInsuredPerson",
            "getInsuredPersonResponse",
            f"{_NAMESPACE}#getInsuredPerson",
            "ssoNum",
            insured,
            ("Client", "", "code", "SSO0404"),
        ),
    ),
)

if __name__ == "__main__":
    run_soap(AGENCY)
