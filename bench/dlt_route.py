"""dlt's Arrow route with merge, as its documentation advises for databases: Arrow tables, CSV files, COPY. In an environment of its own.

`python dlt_route.py SERVER ROWS DATABASE_URL FOLDER` prints one JSON line. It stands alone: the environment has dlt, not marketsync.
"""

import json
import os
import resource
import sys
import time

server, rows, url, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.environ |= {
    "DLT_DATA_DIR": folder,
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": "3",
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "2",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    "DATA_WRITER__FILE_MAX_ITEMS": "100000",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
}

import dlt  # noqa: E402
import orjson  # noqa: E402
import pyarrow as pa  # noqa: E402
import requests  # noqa: E402

PAGE_ROWS = 2_000


@dlt.resource(name="contacts", write_disposition="merge", primary_key="id")
def contacts():
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    for first in range(0, rows, PAGE_ROWS):
        records = orjson.loads(session.get(f"{server}/contacts?first={first}&rows={PAGE_ROWS}").content)["records"]
        for record in records:
            record["email"] = orjson.dumps(record["email"]).decode()
            record["interests_c"] = orjson.dumps(record["interests_c"]).decode()
        yield pa.Table.from_pylist(records)


if __name__ == "__main__":
    began = time.perf_counter()
    if url.startswith("sqlite"):
        destination, options = dlt.destinations.sqlalchemy(url), {}
    else:
        # dlt insists on a password; the benchmark's server trusts everybody on the loopback.
        destination, options = dlt.destinations.postgres(url.replace("@", ":none@", 1)), {"loader_file_format": "csv"}
    pipeline = dlt.pipeline("bench", destination=destination, dataset_name="dlt_bench" if not url.startswith("sqlite") else "main")
    pipeline.run(contacts(), **options)
    with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM contacts") as cursor:
        count = cursor.fetchone()[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": count, "seconds": {"all": time.perf_counter() - began}, "peak_mb": peak}))
