#!/usr/bin/env bash
# Generates the Python modules of proto/ into clients/python/generated.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/generated"
"${PYTHON:-python3}" -m grpc_tools.protoc -I "$here/../../proto" \
    --python_out="$here/generated" --grpc_python_out="$here/generated" \
    glotsift/v1/article.proto glotsift/v1/classifier.proto
