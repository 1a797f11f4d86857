"""The Linkage Gateway: one question about one citizen, judged, asked, minimised, recorded, answered."""

__version__ = "0.1.0"
