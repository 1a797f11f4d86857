"""The gateway's settings: environment variables `LINKAGE_*`, each documented in docs/settings.md.

Read once at start. A value that does not fit stops the start with a message that names the variable.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")

_LISTS = ("trusted_proxies", "egress_allow", "witnesses")
_AGENCY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", re.ASCII)
_WITNESS = re.compile(r"\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+ https?://\S+")


class Settings(BaseSettings):
    """One gateway process's settings. Times are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(env_prefix="LINKAGE_", frozen=True, extra="ignore")

    state_dir: Path = Field(Path("state"), description="Where the embedded database and the key files lie.")
    database_url: str = Field(
        "", description="`sqlite:///…` or `postgresql://…`; empty means `linkage.db` in the state directory."
    )
    keys_dir: Path | None = Field(
        None, description="Where the key files lie; empty means `keys` in the state directory."
    )
    secrets_dir: Path | None = Field(
        None, description="Where connectors' `file:` secrets lie; empty means `secrets` in the state directory."
    )
    issuer: str = Field(
        "http://127.0.0.1:8440", description="The gateway's own base URL: the issuer of its tokens (RFC 8414)."
    )
    log_origin: str = Field(
        "",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._:/-]{0,120})?$",
        description="The log's name; empty means the issuer's host and `/log`. Only where a restored log goes on.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8440, ge=0, le=65535, description="The port to listen on.")
    gateway_name: str = Field(
        "gateway-1", pattern=r"^[a-z0-9-]{1,29}$", description="This process's name in the log; one per process."
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that serve on the one port, each named NAME-1, NAME-2, …; PostgreSQL only.",
    )
    drain_seconds: float = Field(
        20.0, ge=0, le=300, description="How long what is under way may take once the gateway is told to stop."
    )
    sandbox: bool = Field(
        False, description="Accept made-up people (IDs that start with 9) and sources on loopback. Never in production."
    )
    tls_certificate: Path | None = Field(None, description="PEM certificate chain, to serve TLS itself.")
    tls_key: Path | None = Field(None, description="PEM private key of that certificate.")
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Addresses or CIDR blocks of proxies that end TLS: their X-Forwarded-For and Client-Cert count.",
    )
    egress_allow: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Private addresses that an agency's connectors may reach, `<agency>=<address or CIDR block>` each.",
    )
    max_body: int = Field(65536, ge=1024, description="Largest request body taken.")
    head_timeout: float = Field(
        10.0, gt=0, description="How long a request's line and headers may take to arrive on an open connection."
    )
    body_timeout: float = Field(10.0, gt=0, description="How long a request body may take to arrive.")
    max_in_flight: int = Field(512, ge=1, description="Exchanges under way at once; more are answered 503.")
    max_per_source: int = Field(128, ge=1, description="Exchanges that may wait on one service's source at once.")
    max_per_agency: int = Field(
        256, ge=1, description="Exchanges that may wait on all of one agency's services at once."
    )
    max_waiting_appends: int = Field(4096, ge=1, description="Appends that may wait for the log's writer.")
    rate_limit: str = Field(
        "", description="How often one client may call, like `600/minute`; empty: as often as it likes."
    )
    rate_limit_storage: str = Field(
        "", description="`redis://…` or `valkey://…`, where all gateways count one limit; empty: each counts its own."
    )
    breaker_failures: int = Field(8, ge=1, description="Failures of a source in a row before it is left alone.")
    breaker_seconds: float = Field(5.0, gt=0, description="How long a failing source is left alone.")
    registers_poll: float = Field(0.5, gt=0, description="How often other gateways' register changes are looked for.")
    checkpoint_interval: float = Field(
        0.5, gt=0, le=60, description="How often a checkpoint is signed, in seconds, where the log has grown."
    )
    witnesses: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Who is asked to cosign checkpoints: `<verifier key> <URL>` each, as `linkage witness serve` says.",
    )
    witnesses_wanted: int = Field(0, ge=0, description="How many cosignatures a checkpoint should have.")
    witnesses_demanded: bool = Field(
        False, description="Give proofs only with as many cosignatures as are wanted; without, they say how many."
    )
    subject_map_interval: float = Field(
        86400.0, ge=1, description="How often all subjects' counts are committed to the log, in seconds."
    )
    log_archive: Path | None = Field(
        None, description="Where `linkage log archive` moved the log's older part; read where the database lacks it."
    )
    log_retention_months: int = Field(
        120, ge=1, le=1200, description="How long the log's contents are kept at least, in months after their own."
    )
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^\s@?#]+)?$",
        description="Who collects traces (OTLP over HTTP, its base URL); empty means none are made.",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="The process's own log.")

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: str) -> str:
        # What is not said to be SQLite would be taken for a PostgreSQL that does not answer.
        if value and value.partition("://")[0].partition("+")[0] not in ("sqlite", "postgresql", "postgres"):
            raise ValueError("the database is sqlite:///… or postgresql://…")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _is_a_rate(cls, value: str) -> str:
        if value and _RATE.fullmatch(value) is None:
            raise ValueError("a rate is `<how many>/second`, `/minute`, `/hour` or `/day`")
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _is_a_storage(cls, value: str) -> str:
        if value and value.partition("://")[0] not in ("redis", "rediss", "valkey", "valkeys"):
            raise ValueError("the storage is redis://…, rediss://…, valkey://… or valkeys://…")
        return value

    @field_validator("witnesses")
    @classmethod
    def _names_and_places(cls, value: list[str]) -> list[str]:
        if not all(_WITNESS.fullmatch(part) for part in value):
            raise ValueError("each witness is `<verifier key> <URL>`")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for part in value:
            ipaddress.ip_network(part, strict=False)
        return value

    @field_validator("egress_allow")
    @classmethod
    def _agencies_networks(cls, value: list[str]) -> list[str]:
        for part in value:
            agency, mark, block = part.partition("=")
            if not mark or _AGENCY.fullmatch(agency) is None:
                raise ValueError("each is <agency>=<address or CIDR block>: private addresses are allowed to an agency")
            ipaddress.ip_network(block, strict=False)
        return value

    @model_validator(mode="after")
    def _no_plaintext_beyond_loopback(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("LINKAGE_TLS_CERTIFICATE and LINKAGE_TLS_KEY go together")
        loopback = self.host == "localhost" or (_is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)
        if not loopback and self.tls_certificate is None and not self.trusted_proxies:
            raise ValueError(
                "listening beyond loopback needs LINKAGE_TLS_CERTIFICATE and LINKAGE_TLS_KEY, or "
                "LINKAGE_TRUSTED_PROXIES naming the proxy that ends TLS"
            )
        return self

    @model_validator(mode="after")
    def _one_on_a_file(self) -> Settings:
        if self.workers > 1 and not self.database.startswith("postgres"):
            raise ValueError("LINKAGE_WORKERS: several workers need PostgreSQL: SQLite is one process's own")
        return self

    @model_validator(mode="after")
    def _enough_witnesses(self) -> Settings:
        if self.witnesses_wanted > len(self.witnesses):
            raise ValueError("LINKAGE_WITNESSES_WANTED is more than LINKAGE_WITNESSES names")
        return self

    @property
    def origin(self) -> str:
        """The log's origin line (C2SP tlog-checkpoint): as set, or else the issuer without its scheme, and `/log`."""
        return self.log_origin or self.issuer.rstrip("/").partition("://")[2] + "/log"

    @property
    def keys(self) -> Path:
        """The directory of the key files."""
        return self.keys_dir or self.state_dir / "keys"

    @property
    def secrets(self) -> Path:
        """The directory of connectors' secret files."""
        return self.secrets_dir or self.state_dir / "secrets"

    @property
    def database(self) -> str:
        """The database's URL, the default filled in."""
        return self.database_url or f"sqlite:///{self.state_dir / 'linkage.db'}"

    def address_allowed(self, agency: str) -> Callable[[str], bool]:
        """Whether the agency's connectors may connect to an IP address (server-side request forgery, SSRF).

        Public ones always; loopback in a sandbox; any other only where LINKAGE_EGRESS_ALLOW names it for the agency.
        """
        pairs = (part.partition("=") for part in self.egress_allow)
        blocks = [ipaddress.ip_network(block, strict=False) for name, _, block in pairs if name == agency]

        def allowed(address: str) -> bool:
            ip = ipaddress.ip_address(address.partition("%")[0])
            if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
                ip = ip.ipv4_mapped
            if any(ip in block for block in blocks):
                return True
            if ip.is_loopback:
                return self.sandbox
            # Of IPv6 only what is given out for hosts (RFC 4291, 2.4): the rest wraps IPv4, or is a site's own.
            given_out = ip.version == 4 or ip in _GLOBAL_UNICAST
            return given_out and ip.is_global and not ip.is_multicast

        return allowed


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
