"""Everything that can go wrong, as one tree. Status, code and titles live on the class.

    GatewayError                     500  gateway_failed
     ├─ MalformedRequest             400  malformed_request
     │   ├─ InvalidCitizenId         400  invalid_citizen_id
     │   └─ UnknownField             400  unknown_field
     ├─ InvalidToken                 401  invalid_token
     │   ├─ HolderNotAccepted        401  invalid_token        (the token is ours; the registers say no)
     │   └─ BoundToken               401  invalid_token        (with a challenge to prove the key, RFC 9449)
     │       ├─ InvalidDpopProof     401  invalid_dpop_proof
     │       └─ UseDpopNonce         401  use_dpop_nonce
     ├─ InsufficientScope            403  insufficient_scope
     ├─ Denied                       403  denied               (with reasons)
     ├─ NotFound                     404  not_found
     │   ├─ UnknownService           404  unknown_service
     │   └─ CitizenNotFound          404  citizen_not_found    (a connector may raise it)
     ├─ MethodNotAllowed             405  method_not_allowed
     ├─ RequestTimeout               408  request_timeout
     ├─ Conflict                     409  conflict
     ├─ TooLarge                     413  too_large
     ├─ UnsupportedMediaType         415  unsupported_media_type
     ├─ QuotaExceeded                429  quota_exceeded
     ├─ TooManyRequests              429  too_many_requests
     ├─ SourceFault                       (what a connector may raise; nothing else passes)
     │   ├─ AgencyMisbehaved         502  agency_misbehaved
     │   ├─ AgencyUnavailable        503  agency_unavailable
     │   ├─ OutsideServiceHours      503  outside_service_hours
     │   └─ AgencyTimeout            504  agency_timeout
     ├─ LogUnavailable               503  log_unavailable
     ├─ Overloaded                   503  overloaded
     ├─ GatewayFailed                500  gateway_failed
     └─ OAuthError                   400  RFC 6749 section 5.2 (invalid_client is 401)

    Moved                                 not an answer: a revision judged on is no longer the current one

No class takes a citizen ID or a field value: `detail` is written by us, for the class of mistake, and
a source's words are dropped where they are met. One handler (`gateway.http.problems`) renders the tree
as application/problem+json (RFC 9457), or as RFC 6749 wants it for `OAuthError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a question was refused: one rule, where it stands, whom to ask and what would have to change.

    `code` is stable (`field_not_covered`); `policy` is the rule's id; `section` names the law or rule;
    `fields` names fields of the service's schema where the reason is about some of them (never values).
    """

    code: str
    policy: str
    section: str
    title_en: str
    title_th: str
    remedy_en: str
    remedy_th: str
    ask: str = ""
    clause: str = ""
    fields: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The reason as the API and the log show it."""
        body: dict[str, Any] = {
            "code": self.code,
            "policy": self.policy,
            "section": self.section,
            "title": self.title_en,
            "title_th": self.title_th,
            "remedy": self.remedy_en,
            "remedy_th": self.remedy_th,
        }
        if self.ask:
            body["ask"] = self.ask
        if self.clause:
            body["clause"] = self.clause
        if self.fields:
            body["fields"] = list(self.fields)
        return body


class GatewayError(Exception):
    """The root. `detail_en`/`detail_th` say what was wrong with the form, never what the input held."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "gateway_failed"
    title_en: ClassVar[str] = "The gateway failed"
    title_th: ClassVar[str] = "ระบบเกตเวย์ขัดข้อง"

    def __init__(self, detail_en: str = "", detail_th: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(detail_en or self.title_en)
        self.detail_en = detail_en
        self.detail_th = detail_th
        self.retry_after = retry_after
        self.exchange_id: str | None = None
        """Set by the pipeline: the exchange that the error ended."""


class MalformedRequest(GatewayError):
    """The body or a parameter has not the documented form."""

    status = 400
    code = "malformed_request"
    title_en = "The request is not well formed"
    title_th = "รูปแบบคำขอไม่ถูกต้อง"


class InvalidCitizenId(MalformedRequest):
    """Not 13 ASCII digits with a right check digit, or a number that is not accepted here."""

    code = "invalid_citizen_id"
    title_en = "The citizen ID is not valid"
    title_th = "เลขประจำตัวประชาชนไม่ถูกต้อง"


class UnknownField(MalformedRequest):
    """A field that the service's schema does not have."""

    code = "unknown_field"
    title_en = "The service has no such field"
    title_th = "บริการข้อมูลนี้ไม่มีรายการข้อมูลที่ขอ"


class InvalidToken(GatewayError):
    """No access token, or one that is not (or no longer) good. RFC 6750 section 3.1."""

    status = 401
    code = "invalid_token"
    title_en = "The access token is missing or not valid"
    title_th = "ไม่มีโทเคนการเข้าถึง หรือโทเคนใช้ไม่ได้"


class HolderNotAccepted(InvalidToken):
    """The registers do not know, or no longer accept, the token's client, its key, or from where it calls."""


class BoundToken(InvalidToken):
    """The token is bound to a key (RFC 9449), and the request does not prove it: the challenge is DPoP's."""


class InvalidDpopProof(BoundToken):
    """The DPoP proof is missing, malformed, for something else, by another key, or used before. RFC 9449 s.7.1."""

    code = "invalid_dpop_proof"
    title_en = "The DPoP proof is not valid"
    title_th = "หลักฐาน DPoP ใช้ไม่ได้"


class UseDpopNonce(BoundToken):
    """The DPoP proof carries no nonce of this gateway, or an old one. RFC 9449 sections 8 and 9."""

    code = "use_dpop_nonce"
    title_en = "The DPoP proof needs this gateway's nonce"
    title_th = "หลักฐาน DPoP ต้องมี nonce ของเกตเวย์นี้"


class InsufficientScope(GatewayError):
    """The token is good, but not for this."""

    status = 403
    code = "insufficient_scope"
    title_en = "The access token does not reach this far"
    title_th = "โทเคนการเข้าถึงไม่มีสิทธิ์สำหรับรายการนี้"


class Denied(GatewayError):
    """The rules refuse the question; `reasons` says why, one by one, and what would have to change."""

    status = 403
    code = "denied"
    title_en = "The question is refused"
    title_th = "ปฏิเสธคำขอ"

    def __init__(self, reasons: tuple[Reason, ...], detail_en: str = "", detail_th: str = "") -> None:
        super().__init__(detail_en, detail_th)
        self.reasons = reasons


class NotFound(GatewayError):
    """Nothing of that name that the asker may see."""

    status = 404
    code = "not_found"
    title_en = "Not found"
    title_th = "ไม่พบรายการ"


class UnknownService(NotFound):
    """No such service, or not one that is offered."""

    code = "unknown_service"
    title_en = "There is no such service"
    title_th = "ไม่มีบริการข้อมูลนี้"


class CitizenNotFound(NotFound):
    """The source answered, in good order, that it holds no record of this person."""

    code = "citizen_not_found"
    title_en = "The source agency holds no record of this person"
    title_th = "หน่วยงานเจ้าของข้อมูลไม่พบข้อมูลของบุคคลนี้"


class MethodNotAllowed(GatewayError):
    """The path is known, the method is not one of its own."""

    status = 405
    code = "method_not_allowed"
    title_en = "The method is not allowed here"
    title_th = "ไม่รองรับวิธีเรียกนี้"


class RequestTimeout(GatewayError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"
    title_en = "The request did not arrive in time"
    title_th = "ได้รับคำขอไม่ครบภายในเวลาที่กำหนด"


class Conflict(GatewayError):
    """The change meets a state that forbids it (already there, already approved, moved meanwhile)."""

    status = 409
    code = "conflict"
    title_en = "The change conflicts with the present state"
    title_th = "การเปลี่ยนแปลงขัดกับสถานะปัจจุบัน"


class TooLarge(GatewayError):
    """The body is larger than allowed."""

    status = 413
    code = "too_large"
    title_en = "The request is too large"
    title_th = "คำขอมีขนาดใหญ่เกินกำหนด"


class UnsupportedMediaType(GatewayError):
    """The body's Content-Type is not the one this path takes."""

    status = 415
    code = "unsupported_media_type"
    title_en = "The content type is not supported"
    title_th = "ไม่รองรับชนิดเนื้อหานี้"


class QuotaExceeded(GatewayError):
    """The agreement's daily quota (Asia/Bangkok days) is used up, and nothing else stands against the question."""

    status = 429
    code = "quota_exceeded"
    title_en = "The agreement's quota for today is used up"
    title_th = "ใช้โควตาประจำวันตามข้อตกลงครบแล้ว"

    def __init__(self, reasons: tuple[Reason, ...] = (), *, retry_after: int | None = None) -> None:
        super().__init__(retry_after=retry_after)
        self.reasons = reasons


class TooManyRequests(GatewayError):
    """A client calls more often than it may, or an address where no token says who calls. RFC 6585 section 4."""

    status = 429
    code = "too_many_requests"
    title_en = "Too many requests: wait a little"
    title_th = "มีคำขอมากเกินไป โปรดรอสักครู่"


class SourceFault(GatewayError):
    """The source agency's side failed. Never carries the source's own words.

    `fault` is a short code of ours for the log (`not_json`, `wrong_person`, …).
    """

    def __init__(self, fault: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(retry_after=retry_after)
        self.fault = fault


class AgencyMisbehaved(SourceFault):
    """The source answered with something that is not the answer it promised."""

    status = 502
    code = "agency_misbehaved"
    title_en = "The source agency's answer cannot be used"
    title_th = "คำตอบจากหน่วยงานเจ้าของข้อมูลใช้ไม่ได้"


class AgencyUnavailable(SourceFault):
    """The source cannot be reached, or says that it is not serving."""

    status = 503
    code = "agency_unavailable"
    title_en = "The source agency is not available"
    title_th = "หน่วยงานเจ้าของข้อมูลไม่พร้อมให้บริการ"


class OutsideServiceHours(SourceFault):
    """The source serves only at certain hours, and this is not one of them."""

    status = 503
    code = "outside_service_hours"
    title_en = "The source agency does not serve at this hour"
    title_th = "อยู่นอกเวลาให้บริการของหน่วยงานเจ้าของข้อมูล"
    service_hours: Mapping[str, Any] | None = None
    """What the answer tells beside the texts, where the service says when it serves: set by the pipeline."""


class AgencyTimeout(SourceFault):
    """The source did not answer within the service's deadline."""

    status = 504
    code = "agency_timeout"
    title_en = "The source agency did not answer in time"
    title_th = "หน่วยงานเจ้าของข้อมูลไม่ตอบภายในเวลาที่กำหนด"


class LogUnavailable(GatewayError):
    """The exchange log cannot be written, so nothing is exchanged."""

    status = 503
    code = "log_unavailable"
    title_en = "The exchange log cannot be written, so nothing is exchanged"
    title_th = "บันทึกรายการแลกเปลี่ยนไม่ได้ จึงไม่ดำเนินการแลกเปลี่ยน"


class Overloaded(GatewayError):
    """More is waiting than the gateway takes on."""

    status = 503
    code = "overloaded"
    title_en = "The gateway has more to do than it can take on"
    title_th = "ระบบมีงานเกินขีดจำกัด"


class GatewayFailed(GatewayError):
    """A fault of ours. The details are in our own log, without any input's value."""


class OAuthError(GatewayError):
    """What the token endpoint says (RFC 6749 section 5.2): `error` is one of its registered codes."""

    status = 400
    code = "malformed_request"
    title_en = "The token request is refused"
    title_th = "ปฏิเสธคำขอโทเคน"

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(description)
        self.error = error
        self.http_status = 401 if error == "invalid_client" else 400


class Moved(Exception):
    """A revision named in `unless` is no longer the current one. Judge again on what holds now."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"{scope} has moved")
        self.scope = scope
