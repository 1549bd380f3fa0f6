#!/usr/bin/env bash
# Makes requirements.lock anew from pyproject.toml, and from it what the images install, with hashes.
# Run it at the top of the checkout, with uv: `pip install uv`. What is locked stays as it is where
# it still fits; `--upgrade` takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/../.."

export UV_CUSTOM_COMPILE_COMMAND="infra/docker/pins.sh"
pin=(uv pip compile --quiet --universal --python-version 3.11 --no-annotate --generate-hashes
  --no-emit-index-url --no-emit-find-links)

"${pin[@]}" "$@" --all-extras pyproject.toml --output-file requirements.lock

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
# Hashes are the locked files' own; as constraints they would be refused beside a range.
sed -E 's/ \\$//; /^ +--hash/d' requirements.lock > "$made/locked.txt"
"${pin[@]}" --constraint "$made/locked.txt" pyproject.toml \
  --output-file infra/docker/requirements-cpu.txt
# The CUDA runtime takes the place of the CPU one: side by side they overwrite each other. Its
# wheels are made for CUDA 13 and cuDNN 9: change base image and version together.
echo "onnxruntime ; sys_platform == 'never'" > "$made/instead.txt"
echo "onnxruntime-gpu==1.31.1" > "$made/gpu.txt"
"${pin[@]}" --constraint "$made/locked.txt" --override "$made/instead.txt" \
  pyproject.toml "$made/gpu.txt" --output-file infra/docker/requirements-gpu.txt
