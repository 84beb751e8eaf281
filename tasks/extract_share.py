"""One share of a large kind, read by a run of its own for the initial sync that started it; it goes on where it stopped (INIT-7)."""

from __future__ import annotations

from prefect import task

from adapters.staging.shares import ASKED, share_purpose, streams_of_share
from sync.errors import ConfigError, ShareFailed
from sync.records import Filter, Kind, ReadRequest, RunRef
from tasks.extract import asked, read_share
from tasks.operate import kinds_of
from tasks.runs import INITIAL
from tasks.wiring import RETRY, installation, open_crm, settings_of


def kind_named(run: RunRef, word: str) -> Kind:
    """The kind that a run form names. Raises ConfigError where there is none of that name."""
    kinds = kinds_of(run.config, run.connector)
    for kind in kinds:
        if word in (kind.value, kind.plural):
            return kind
    raise ConfigError(f'"{word}" is no kind', where="kind", todo=f"One of {', '.join(kind.plural for kind in kinds)}.")


@task(name="extract share", task_run_name="extract share {number} of {kind.plural} of {run.connector}", **RETRY)
def extract_share(run: RunRef, kind: Kind, number: int, share: str) -> int:
    """Stages the streams that the share names, or goes on with what an earlier try has staged. → its records.

    `share`: its id. Raises ShareFailed if it does not lie here: it was taken in already, or this worker has another data directory.
    """
    home, connector = installation(run.config), settings_of(run)
    where = f"connector {run.connector}, {kind.plural}, share {number}"
    ref = home.parcels.find(run.connector, kind, share_purpose(INITIAL, number))
    if ref is None or ref.parcel_id != share:
        todo = "If it was taken in already, nothing. Else let this worker use the data directory of the one that runs the initial sync."
        raise ShareFailed(f"the share {share} does not lie in {home.data_dir}", where=where, todo=todo)
    with home.parcels.open(ref, filling=True) as parcel:
        request = ReadRequest(kind, parcel.fields, filter=connector.filters.get(kind, Filter()))
        if parcel.told(ASKED) != asked(request):
            todo = "Give every worker the same configuration file; then retry the initial sync."
            raise ConfigError("this worker's sync filter is another one than that of the initial sync", where=where, todo=todo)
        crm = open_crm(run.config, run.connector)
        read_share(run, crm, request, parcel, connector.connections, streams_of_share(parcel))
        return parcel.rows()
