"""CRMs that are not there: real HTTP servers that imitate a CRM, faults included.

Shared rooms (clock, faults, call log, HTTP core, row store, invented data) lie in this package, one sub-package per
CRM dialect. Nothing here imports the rest of the product: a sandbox that shared code with the client could not
disagree with it.
"""
