#!/bin/sh
# A server, and a second one that follows it over a TCP connection inside.
redis-server --port 3000 --protected-mode no --save '' &
exec redis-server --port 3001 --protected-mode no --save '' --replicaof 127.0.0.1 3000 --repl-ping-replica-period 1
