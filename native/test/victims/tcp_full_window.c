/* More on its way over a TCP connection of the instance than its window takes, both ways; the reader still waits. */
#include "tcp.h"
VICTIM(tcp_full_window)

static int client, server;
static size_t written[2];

static size_t fill(int fd, unsigned seed) {
  size_t sent = 0;
  for (;;) {
    unsigned char block[4096];
    for (size_t i = 0; i < sizeof block; i++) block[i] = (unsigned char)((sent + i) * 7 + seed);
    ssize_t n = send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return sent;
    sent += (size_t)n;
  }
}

static const char *drain(int fd, size_t bytes, unsigned seed) {
  for (size_t have = 0; have < bytes;) {
    unsigned char block[4096];
    ssize_t n = recv(fd, block, bytes - have < sizeof block ? bytes - have : sizeof block, 0);
    if (n <= 0) return bad("%zu of %zu bytes came (errno %d)", have, bytes, n < 0 ? errno : 0);
    for (ssize_t i = 0; i < n; i++, have++)
      if (block[i] != (unsigned char)(have * 7 + seed)) return bad("byte %zu is another one", have);
  }
  return NULL;
}

static void fill_both(void) {
  written[0] = fill(client, 1);
  written[1] = fill(server, 2);
}

static void setup(void) {
  struct sockaddr_in address;
  int listener = listen_at(loopback, 7004, &address);
  client = connect_through(listener, &address, &server);
  close(listener);
  fill_both();
}

static const char *check(void) {
  EXPECT(written[0] > 100000 && written[1] > 100000);
  const char *why = drain(server, written[0], 1);
  if (!why) why = drain(client, written[1], 2);
  fill_both();
  return why;
}
