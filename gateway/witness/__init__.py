"""A witness: another authority's small process that cosigns a log's checkpoints and refuses forks and rollbacks.

It speaks C2SP tlog-witness and knows nothing of the gateway but a log's verifier key.
"""
