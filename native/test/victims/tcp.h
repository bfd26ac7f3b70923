/* What the victims with TCP connections have in common. Everything ends the program where it fails, as MUST does. */
#ifndef APPSHOT_VICTIM_TCP_H
#define APPSHOT_VICTIM_TCP_H

#include "victim.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* The pod's own address, another in each pod; `loopback` is the same in all. */
struct in_addr own_address(void);
extern const struct in_addr loopback;

/* A listening socket; `port` 0 has the kernel choose. Its name is put into `address`. */
int listen_at(struct in_addr at, int port, struct sockaddr_in *address);
int connect_to(const struct sockaddr_in *address);
/* A connection with both its ends: returns the one that has connected. */
int connect_through(int listener, const struct sockaddr_in *address, int *accepted);

/* The value of an option that is a number, -1 where there is none. */
int number_option(int fd, int level, int name);

#endif
