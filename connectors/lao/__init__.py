"""The agency `lao`: agency.yaml says all that the gateway needs; sandbox.py stands in for the agency's own system."""
