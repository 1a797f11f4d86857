"""The edge: bytes in and out. It knows HTTP and no rules."""
