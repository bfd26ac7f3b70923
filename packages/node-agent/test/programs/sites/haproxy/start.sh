#!/bin/sh
# HAProxy in front of two servers, over TCP connections inside, which it keeps.
python3=/usr/bin/python3
$python3 backend.py 4001 &
$python3 backend.py 4002 &
while [ ! -e listening-4001 ] || [ ! -e listening-4002 ]; do sleep 0.05; done
exec haproxy -W -db -f haproxy.cfg
