# The server, with its native extension, for any role:
#   docker build -t groundswell . && docker run -p 8080:8080 -e GROUNDSWELL_AUTH_SECRET=... groundswell

FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
RUN python -m venv /opt/groundswell
ENV PATH=/opt/groundswell/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The lock also names what tests need; as constraints it pins without installing that.
COPY requirements.lock ./
RUN pip install --constraint requirements.lock setuptools Cython
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY groundswell groundswell
ARG EXTRAS=cluster
RUN BUILD_EXTENSION=yes pip install --constraint requirements.lock --no-build-isolation ".[${EXTRAS}]" \
    && pip uninstall --yes setuptools Cython

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/groundswell --create-home groundswell
COPY --from=build /opt/groundswell /opt/groundswell
ENV PATH=/opt/groundswell/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GROUNDSWELL_SERVER_DATA=/var/lib/groundswell
USER groundswell
WORKDIR /var/lib/groundswell
VOLUME /var/lib/groundswell
EXPOSE 8080
# On SIGTERM viewers are sent elsewhere over server.drain_time: give it longer than that to stop.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:8081/health', timeout=2)"]
ENTRYPOINT ["groundswell"]
CMD ["serve"]
