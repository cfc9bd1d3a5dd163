# Two stages: the first builds a virtual environment from the locked dependencies, the second
# holds only that environment and runs it as a user without rights.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/cds-service
COPY requirements.lock ./
RUN /opt/cds-service/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY model model
COPY fhir_mapping fhir_mapping
COPY hooks hooks
COPY cds_service cds_service
RUN /opt/cds-service/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE}
# libgomp1: XGBoost's threads.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/cds-service cds \
    && install -d -o cds -g cds -m 700 /var/lib/cds-service/data
COPY --from=build /opt/cds-service /opt/cds-service
ENV PATH=/opt/cds-service/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CDS_HOST=0.0.0.0 \
    CDS_DATA_DIR=/var/lib/cds-service/data
USER 10001
WORKDIR /var/lib/cds-service
VOLUME /var/lib/cds-service/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"CDS_PORT\", \"8000\")}/health/live', timeout=2)"]
ENTRYPOINT ["cds-service"]
CMD ["serve"]
