#!/bin/sh
PORT=3001 node server.mjs &
exec caddy run --config Caddyfile
