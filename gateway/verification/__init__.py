"""Checking the exchange log without trusting whoever runs it: from the database, from the tiles, from one file."""
