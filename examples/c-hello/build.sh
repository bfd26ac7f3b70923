#!/bin/sh
# Compiles the server to build/c-hello beside this file; "npm start" does it too.
set -eu
cd "$(dirname "$0")"
mkdir -p build
${CC:-cc} -O2 -Wall -Wextra -o build/c-hello server.c
