// Asks an application whether it answers yet.
#pragma once

#include <netinet/in.h>

#include <string>

namespace appshot {

// One try, within `withinMs`: its port accepts a connection and, with a path, an HTTP request for it is answered with a
// status below 500.
bool answersOnce(in_addr address, int port, const std::string& path, int withinMs);

struct HttpPost {
  std::string path, contentType, body;
};

// The status with which the post was answered; 0 when it was not within the time. Throws Error only when there is no socket to be had.
int postOnce(in_addr address, int port, const HttpPost& post, int withinMs);

}  // namespace appshot
