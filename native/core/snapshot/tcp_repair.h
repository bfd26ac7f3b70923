// TCP_REPAIR: looking into a connection, and setting one up without a word to its peer.
#pragma once

#include <cstdint>
#include <string>

namespace appshot {

struct Unacknowledged {
  uint32_t first = 0;   // sequence number of the first byte
  std::string bytes;
};

// Puts a connected socket into repair mode; the destructor takes it out again, and nothing is sent for that. The connection goes on
// meanwhile: what must not change has to be kept from changing by other means.
class TcpRepair {
 public:
  explicit TcpRepair(int fd);
  ~TcpRepair();
  TcpRepair(const TcpRepair&) = delete;
  TcpRepair& operator=(const TcpRepair&) = delete;

  // The next sequence number of a queue: TCP_SEND_QUEUE what will be written next, TCP_RECV_QUEUE what will come next.
  uint32_t sequence(int queue) const;
  // What has been written and is not acknowledged. `ended`: an end of stream stands behind it, or did.
  Unacknowledged unacknowledged(bool ended) const;
  // What has come and is not read.
  std::string received() const;

 private:
  void choose(int queue) const;

  int fd_;
  int reuse_;
};

// From now on the connection ends without a word to its peer, whoever closes it last.
void endSilently(int fd);

}  // namespace appshot
