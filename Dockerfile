# One image for the Prefect server, the worker and every command of marketsync. Built from this folder: docker build -t marketsync .
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sync ./sync
COPY adapters ./adapters
COPY expectations ./expectations
COPY tasks ./tasks
COPY flows ./flows
RUN python -m venv /opt/marketsync \
 && /opt/marketsync/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[postgres]'

FROM python:3.11-slim
# ps: `marketsync up` asks it which runs are at work.
RUN apt-get update && apt-get install --yes --no-install-recommends procps && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home marketsync \
 && install --directory --owner=marketsync --mode=0777 /prefect /sync
COPY --from=build /opt/marketsync /opt/marketsync
ENV PATH=/opt/marketsync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    LOGNAME=marketsync \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT=false
USER marketsync
WORKDIR /sync
CMD ["marketsync", "--help"]
