"""Transparency logs as C2SP describes them: RFC 6962 trees, signed notes, checkpoints, tiles and proofs.

Nothing here knows the gateway: bytes in, bytes out. What the log, its verifiers and a witness share.
"""
