"""CRM → raw: the streams of one read, several at once, into one parcel. What is staged is never asked for again (INIT-7)."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from prefect import task

from adapters.staging import Parcel
from adapters.staging.facts import BEGUN_AT
from sync.crm import Crm
from sync.errors import MarketsyncError
from sync.fields import Reading
from sync.partitions import Streams
from sync.records import EVERY_KEY, Filter, Kind, Page, ParcelRef, ReadRequest, RunRef, Stream, Window
from tasks.check import REJECTED
from tasks.partition import read_in_shares
from tasks.progress import Step, tell
from tasks.runs import INITIAL
from tasks.schema import readings_of
from tasks.wiring import RETRY, Installation, installation, now, open_crm, settings_of

_FLUSH_BYTES = 24 << 20
READ = "read"


@task(name="extract", task_run_name="extract {kind.plural} of {run.connector}", **RETRY)
def extract(run: RunRef, kind: Kind, purpose: str, schema: str) -> ParcelRef:
    """Stages every record of one kind, or goes on with the parcel that an earlier run left."""
    return stage_records(run, kind, purpose, readings_of(run, schema, kind))


@task(name="extract named", task_run_name="extract {kind.plural} of {run.connector} by id", **RETRY)
def extract_named(run: RunRef, kind: Kind, purpose: str, schema: str, ids: tuple[str, ...]) -> ParcelRef:
    """Stages only the records with these ids, whether or not they meet the filter."""
    return stage_records(run, kind, purpose, readings_of(run, schema, kind), ids)


def stage_records(run: RunRef, kind: Kind, purpose: str, readings: tuple[Reading, ...], ids: tuple[str, ...] = ()) -> ParcelRef:
    """Every record of one kind that meets the connector's filter, or those with these ids, whether or not they meet it."""
    where = Filter() if ids else settings_of(run).filters.get(kind, Filter())
    request = ReadRequest(kind, fields_of(readings), Window(), where, ids)
    return stage_request(run, request, purpose, readings, {"whole": "no" if ids else "yes"})


def fields_of(readings: tuple[Reading, ...]) -> tuple[str, ...]:
    """The CRM fields that these readings are made of. Always in the same order: the rows' hashes go over them."""
    return tuple(dict.fromkeys(reading.source for reading in readings))


def stage_request(
    run: RunRef,
    request: ReadRequest,
    purpose: str,
    readings: tuple[Reading, ...],
    about: Mapping[str, str],
    first: tuple[Page, ...] = (),
) -> ParcelRef:
    """Stages what one read brings, or goes on with the parcel that an earlier run left for this purpose and this very request.

    `about` is kept with it. `first` are pages that somebody has read already; they are staged with a new parcel.
    """
    home, connector, kind = installation(run.config), settings_of(run), request.kind
    crm = open_crm(run.config, run.connector)
    ref = home.parcels.find(run.connector, kind, purpose)
    if ref is not None:
        with home.parcels.open(ref) as parcel:
            fits = parcel.readings == readings and parcel.told("asked") == asked(request)
            state = parcel.told("state")
        if state == REJECTED:
            home.parcels.keep_aside(ref, REJECTED)  # its run died before it could do so; what it holds may be corrected by now
        elif fits and state == READ:
            return ref
        if state == REJECTED or not fits:
            ref = None  # the CRM's schema moved since, or other records are wanted now
    if ref is None:
        told = {BEGUN_AT: now().isoformat(), "baseline": crm.now().isoformat(), "asked": asked(request), **about}
        ref = home.parcels.create(run.connector, kind, purpose, request.fields, readings, told)
        _stage_first(home, ref, first)
    total = _total(crm, request)
    if purpose == INITIAL:
        read_in_shares(run, crm, request, ref, total)
    with home.parcels.open(ref, filling=True) as parcel:
        _Reader(run, crm, request, parcel, connector.connections, total).read()
        parcel.tell("state", READ)
    return ref


def asked(request: ReadRequest) -> str:
    """What tells one request from another of the same purpose; the end of a window is no part of it."""
    lower = request.window.lower
    told = [sorted(request.ids), [request.keys.low, request.keys.high], lower and lower.isoformat(), repr(request.filter)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _stage_first(home: Installation, ref: ParcelRef, first: tuple[Page, ...]) -> None:
    if first:
        with home.parcels.open(ref) as parcel:
            spool = parcel.spool()
            for page in first:
                spool.add(page)
            spool.flush()
            spool.close()


def _total(crm: Crm, request: ReadRequest) -> int | None:
    """How many records will come, for whoever watches. Of a range of keys or a window nobody asks: it is small."""
    if request.ids:
        return len(request.ids)
    whole = request.keys == EVERY_KEY and request.window == Window()
    return crm.count(request.kind, where=request.filter) if whole else None


def read_streams(run: RunRef, crm: Crm, request: ReadRequest, parcel: Parcel, connections: int, until: datetime) -> bool:
    """Reads on from where the parcel stands, but not after `until` (UTC) for longer than a page takes. → whether everything is staged."""
    return _Reader(run, crm, request, parcel, connections, _total(crm, request), until).read()


def read_share(run: RunRef, crm: Crm, request: ReadRequest, share: Parcel, connections: int, streams: Streams) -> None:
    """Reads these streams of the request, each from where it stands in the share, else from where it is said to go on."""
    _Reader(run, crm, request, share, connections, None, streams=streams).read()


class _Reader:
    """Shares the streams of one read among threads; the first failure stops them all, after what they have is staged."""

    def __init__(
        self,
        run: RunRef,
        crm: Crm,
        request: ReadRequest,
        parcel: Parcel,
        connections: int,
        total: int | None,
        until: datetime | None = None,
        streams: Streams | None = None,
    ) -> None:
        self._run = run
        self._crm = crm
        self._request = request
        self._parcel = parcel
        self._connections = connections
        self._total = total
        self._until = until
        self._streams = streams
        self._cut = False
        self._done = 0
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []

    def read(self) -> bool:
        """→ whether every stream came to its end."""
        progress = self._parcel.progress()
        self._tell(sum(stream.rows for stream in progress.values()))
        waiting: queue.SimpleQueue[tuple[Stream, str | None]] = queue.SimpleQueue()
        for stream in self._crm.streams(self._request):
            known = progress.get(stream.name)
            if self._streams is not None and stream.name not in self._streams:
                continue
            if known is None or not known.ended:
                waiting.put((stream, known.position if known else (self._streams or {}).get(stream.name)))
        threads = [threading.Thread(target=self._work, args=(waiting,)) for _ in range(min(self._connections, waiting.qsize()))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            raise _worst(self._failures)
        finished = waiting.empty() and not self._cut
        self._tell(0, ended=finished)
        return finished

    def _work(self, waiting: queue.SimpleQueue[tuple[Stream, str | None]]) -> None:
        try:
            spool = self._parcel.spool()
            try:
                while not self._failures:
                    try:
                        stream, position = waiting.get_nowait()
                    except queue.Empty:
                        return
                    self._read_stream(spool.add, spool.flush, lambda: spool.bytes, stream, position)
                    if self._is_late():
                        return
            finally:
                spool.close()
        except BaseException as error:  # noqa: BLE001  handed to the thread that waits, which raises it
            self._failures.append(error)

    def _read_stream(
        self, add: Callable[..., None], flush: Callable[[], int], waiting_bytes: Callable[[], int], stream: Stream, position: str | None
    ) -> None:
        try:
            for page in self._crm.pages(self._request, stream, position):
                add(page)
                self._tell(page.rows)
                if waiting_bytes() >= _FLUSH_BYTES:
                    flush()
                if self._failures or self._is_late():
                    self._cut = self._cut or page.position is not None
                    break
        finally:
            flush()

    def _is_late(self) -> bool:
        return self._until is not None and now() >= self._until

    def _tell(self, more: int, *, ended: bool = False) -> None:
        with self._lock:
            self._done += more
            done = self._done
        tell(Step(self._run.run_id, self._request.kind.value, "extract", done, self._total, ended))


def _worst(failures: list[BaseException]) -> BaseException:
    """The one that tells most: an error of ours that an operator has to act on, before one that time cures."""
    return min(
        failures,
        key=lambda error: (not isinstance(error, MarketsyncError), error.exit_code == 6 if isinstance(error, MarketsyncError) else True),
    )
