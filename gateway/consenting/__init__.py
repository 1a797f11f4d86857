"""The path of consents: given, paused, resumed, withdrawn, looked at."""

from gateway.consenting.path import Changed, Consenting, Given

__all__ = ["Changed", "Consenting", "Given"]
