"""The agency `police`: agency.yaml says all that the gateway needs; sandbox.py stands in for its own system."""
