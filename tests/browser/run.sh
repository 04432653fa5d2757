#!/bin/sh
# tests/browser/run.sh [BINARY [TEST FILE…]]: the browser tests against `BINARY demo`.
# Needs node, npm and chromium (CHROMIUM names another browser binary). Screenshots: tests/output/browser/.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
: "${CHROMIUM:=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
if [ -z "$CHROMIUM" ]; then
  echo "error: no chromium; install it or set CHROMIUM" >&2
  exit 2
fi
export CHROMIUM
if [ $# -gt 0 ]; then
  binary=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
  shift
  set -- "$binary" "$@"
fi
cd "$here"
if [ ! -d node_modules/ws ] || [ package-lock.json -nt node_modules ]; then
  npm ci --ignore-scripts --no-audit --no-fund
  touch node_modules
fi
exec node run.mjs "$@"
