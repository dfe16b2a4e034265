# One image for every role: growbin-jobs worker storage|ai, scheduler, monitor, db upgrade, journal drain.
#
#   docker build -t growbin-jobs .
#   scripts/image --help            by digest, with labels, SBOM and a trial run, by docker or buildah
#
# BASE: any image with Python 3.11 or newer as python3 and Debian's apt. A release names it by digest:
#   --build-arg BASE=docker.io/library/python@sha256:…
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python3 -m venv /opt/venv
# First what changes seldom: the layer of libraries is kept until the lock changes.
COPY requirements/all.lock requirements/all.lock
RUN /opt/venv/bin/pip install --require-hashes --no-deps -r requirements/all.lock
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY rules rules
COPY src src
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation . \
    # What only builds is not for the image that runs; byte code, since its file system is read-only.
    && /opt/venv/bin/pip uninstall --yes setuptools wheel pip \
    && python3 -m compileall -q -j 0 /opt/venv/lib

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="growbin-jobs" \
      org.opencontainers.image.description="Background jobs on Dramatiq that lose nothing" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# tini reaps orphans and forwards SIGTERM to its child alone, which tells its own. Not `tini -g`: then each process would
# hear it twice, and a second signal is for ending at once.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 growbin \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/growbin --shell /usr/sbin/nologin growbin \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/growbin
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GROWBIN_DATA_DIR=/var/lib/growbin
# A number: Kubernetes cannot see from a name that it is not root.
USER 10001:10001
WORKDIR /var/lib/growbin
# 9090: metrics and probes of workers and schedulers; 5555: the monitor. Probes are the orchestrator's, not the image's.
EXPOSE 9090 5555
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "growbin-jobs"]
CMD ["worker"]
