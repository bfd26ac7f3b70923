#!/bin/sh
# A server, and a subscriber of it over its unix socket.
redis-server --port 3000 --unixsocket redis.sock --protected-mode no --save '' --appendonly yes &
until redis-cli -s redis.sock ping > /dev/null 2>&1; do sleep 0.05; done
exec redis-cli -s redis.sock subscribe news > heard
