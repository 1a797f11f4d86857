"""What comes from elsewhere: its licences, and what is known to be wrong with it. `make sbom licences audit`."""
