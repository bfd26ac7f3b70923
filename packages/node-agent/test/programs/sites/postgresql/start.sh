#!/bin/sh
# A database, and a client of it with a transaction that stays open: it takes its commands from a fifo, and answers into a file.
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
"$bin/initdb" -D data -U app --auth=trust --no-sync > initdb.log
echo "host all all all trust" >> data/pg_hba.conf
# Before it listens: whoever reaches it finds the tables.
"$bin/postgres" --single -D data postgres > first.log <<SQL
create table visits (at timestamptz default now());
create sequence ticks;
create table drafts (line text);
SQL
"$bin/postgres" -D data -p 3000 -c listen_addresses='*' -c unix_socket_directories="$PWD" -c fsync=off &
until "$bin/pg_isready" -q -h "$PWD" -p 3000; do sleep 0.05; done
psql="$bin/psql -X -q -A -t -v ON_ERROR_STOP=1 -h $PWD -p 3000 -U app postgres"
mkfifo commands
exec 3<> commands
$psql < commands > answers 2>&1 &
echo "begin; insert into drafts values ('first'); select 'open';" >&3
# A second one asks again and again, over the connection that it has.
echo "select nextval('ticks') \\watch 0.1" > watch.sql
exec $psql -f watch.sql > /dev/null
