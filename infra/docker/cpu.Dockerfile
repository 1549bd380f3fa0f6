# Every stage and producer, on CPU. Build it at the top of the checkout:
#   docker build -f infra/docker/cpu.Dockerfile -t tagging-engine:0.1.0-cpu .
FROM python:3.11.15-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/tagger
ENV PATH=/opt/tagger/bin:$PATH
WORKDIR /src

# Libraries change seldom, the source often: this layer is built again only when a pin changes.
COPY infra/docker/requirements-cpu.txt .
RUN pip install --require-hashes --requirement requirements-cpu.txt

COPY . .
RUN pip install --no-deps .


FROM python:3.11.15-slim-trixie

# A number, not a name: Kubernetes' runAsNonRoot can only judge numbers.
RUN install --directory --owner=10001 --group=10001 /var/lib/tagger
COPY --from=build /opt/tagger /opt/tagger
ENV PATH=/opt/tagger/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TAGGER_DATA_DIR=/var/lib/tagger \
    TAGGER_HTTP_HOST=0.0.0.0 \
    TAGGER_LOG_LEVEL=info
USER 10001:10001
WORKDIR /var/lib/tagger
ENTRYPOINT ["tagger"]
