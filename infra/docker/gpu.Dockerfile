# The stages with models, on a CUDA device; the others need only the CPU image. Build it at the top
# of the checkout:
#   docker build -f infra/docker/gpu.Dockerfile -t tagging-engine:0.1.0-gpu .
FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS python

# The release's own Python: one minor version for good, patched for years, so no pin of the patch.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.12 python3.12-venv \
    && rm -rf /var/lib/apt/lists/*


FROM python AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3.12 -m venv /opt/tagger
ENV PATH=/opt/tagger/bin:$PATH
WORKDIR /src

# Libraries change seldom, the source often: this layer is built again only when a pin changes.
COPY infra/docker/requirements-gpu.txt .
RUN pip install --require-hashes --requirement requirements-gpu.txt

COPY . .
RUN pip install --no-deps .


FROM python

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
