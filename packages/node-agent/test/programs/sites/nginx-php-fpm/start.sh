#!/bin/sh
# nginx in front of PHP's processes, over their unix socket.
php_fpm=$(ls /usr/sbin/php-fpm[0-9]* | tail -n 1)
"$php_fpm" --nodaemonize --fpm-config php-fpm.conf --prefix "$PWD" &
while [ ! -S php.sock ]; do sleep 0.05; done
exec nginx -p "$PWD" -c nginx.conf
