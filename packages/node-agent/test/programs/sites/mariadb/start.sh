#!/bin/sh
set -e
mariadb-install-db --no-defaults --datadir="$PWD/data" --skip-test-db > install.log 2>&1
cat > first.sql <<'SQL'
create user farm@'%' identified by 'farm';
grant all on *.* to farm@'%';
create database site;
create table site.visits (at timestamp);
create table site.ticks (n bigint);
insert into site.ticks values (0);
create definer = farm@'%' event site.tick on schedule every 1 second do update site.ticks set n = n + 1;
SQL
exec mariadbd --no-defaults --datadir="$PWD/data" --socket="$PWD/data/server.sock" --port=3000 --bind-address=0.0.0.0 \
  --skip-name-resolve --event-scheduler=on --init-file="$PWD/first.sql" --innodb-flush-log-at-trx-commit=0
