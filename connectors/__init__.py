"""The ways to the sources: one folder an agency, and the shared kinds of connector beside them."""
