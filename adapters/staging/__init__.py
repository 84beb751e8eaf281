"""The parcel: one kind, one window, one DuckDB file, and everything that happens to a batch before it is committed.

The way of one record: `parcel.py` (raw pages in) → `reading.py` (text becomes values) → `facts.py` (what the rules look at)
→ `planning.py` (what will happen to it) → `export.py` (out, as rows that a database loads).
"""

from adapters.staging.parcel import Parcel, ParcelStore

__all__ = ["Parcel", "ParcelStore"]
