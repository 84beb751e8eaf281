"""A slice is read beside the running sync: what Market was told meanwhile must not be overwritten with what was true before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from adapters.market.engine import Market
from adapters.staging import Parcel, slicing
from sync.crm import Crm
from sync.records import KeyRange
from tasks.wiring import now


def began(crm: Crm, keys: KeyRange) -> Mapping[str, str]:
    """What a parcel of a slice keeps about when it was begun: on our clock, and on the CRM's less its overlap."""
    return {
        "whole": "no",
        "low": keys.low,
        "high": keys.high,
        "began_at": now().isoformat(),
        "stamped_from": (crm.now() - crm.overlap).isoformat(),
    }


def leave_newer(market: Market, parcel: Parcel) -> None:
    """Takes out of the facts of a slice every record that another run has written since the slice was begun, or that it knows in a
    newer version. Of other parcels nothing."""
    since = parcel.told("began_at")
    if since is None:
        return
    keys = KeyRange(parcel.told("low") or "", parcel.told("high") or "")
    written, stamped = datetime.fromisoformat(since), datetime.fromisoformat(parcel.told("stamped_from") or since)
    parcel.learn("told_since", market.slices.told_since(parcel.ref.connector, parcel.ref.kind, keys, written=written, stamped=stamped))
    slicing.drop_overtaken(parcel)
