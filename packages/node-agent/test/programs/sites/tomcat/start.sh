#!/bin/sh
mkdir -p base/conf base/webapps/ROOT base/logs base/temp base/work
cp /usr/share/tomcat10/etc/web.xml base/conf/
cp server.xml base/conf/
cp index.jsp base/webapps/ROOT/
export CATALINA_BASE="$PWD/base" CATALINA_HOME=/usr/share/tomcat10 JRE_HOME=/usr JAVA_OPTS=-Xmx128m
exec /usr/share/tomcat10/bin/catalina.sh run
