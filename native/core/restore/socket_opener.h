// Opens the sockets of an image. Connections come before listening sockets, whose addresses they share; what waits in a socket
// comes when every file is there, since descriptors may be among it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/restore/opening.h"
#include "core/snapshot/inet_address.h"

namespace appshot {

class SocketOpener : public Opening {
 public:
  SocketOpener(Compiler& compiler, Tape& tape) : Opening(compiler, tape) {}

  static bool knows(FileKind kind);
  // TCP connections, and what is left of them.
  void openConnections();
  // Any other socket; of a pair, both.
  void open(uint32_t index);
  // Everything is open: contents of queues, datagram connections, what is left to set.
  void finish();

 private:
  // The saved address in the region; the pod's own address becomes that of the pod the tape runs in.
  uint64_t address(const std::string& saved);
  bool isOwn(const InetAddress& address) const;
  // The four bytes at this place of the region become the pod's address.
  void putOwnAddress(uint64_t at);
  void setOptions(const OpenFile& file, Slot slot);
  void setOption(Slot slot, int level, int name, int value);
  void attachFilter(const SocketOption& option, Slot slot);
  void join(const OpenFile& file, Slot slot);
  Slot makeSocket(const OpenFile& file);

  // compile_sockets.cc
  void openPair(uint32_t index);
  void openUnix(uint32_t index);
  void openUdp(uint32_t index);
  void openNetlink(uint32_t index);
  void openListener(uint32_t index);
  void bindName(const OpenFile& file, Slot slot);

  // Of a connected socket whose other end is in the instance.
  std::optional<uint32_t> otherEnd(uint32_t index) const;
  // One of the two ends is still in the queue of a listening socket.
  bool waitsToBeAccepted(uint32_t index) const;
  void knockUnix(uint32_t waiting);

  // compile_tcp.cc
  void knockTcp(uint32_t waiting);
  void openTcpPair(uint32_t index);
  void openTcpEnded(uint32_t index);
  // A socket of `file`, under its old name, that is connected to `to`.
  Slot connectTo(const OpenFile& file, uint64_t to, size_t toBytes);
  void writeAll(Slot from, const std::string& contents);
  void settleTcp(uint32_t index);

  // compile_kept.cc
  void openKept();
  void repair(uint32_t index);
  void fillRepaired(Slot slot, int queue, const std::string& contents, size_t count);
  void setSequence(Slot slot, int queue, uint32_t next);
  void takeOldAddress();
  void shutDownRepaired(Slot slot);
  // As if the connection's peer had sent it: an acknowledgement of `acknowledged`, with an end of stream or without.
  void sendForPeer(Slot raw, const OpenFile& file, bool end, uint32_t acknowledged);
  void sayEnds(Slot raw, uint32_t index);

  // compile_queues.cc
  void refill(uint32_t index);
  void send(const QueuedMessage& message, Slot from, uint64_t to, size_t toBytes);
  void refillNamed(uint32_t index);
  void refillUdp(uint32_t index);
  void sendPacket(Slot raw, const std::string& payload, const InetAddress& from, const InetAddress& local);
  Slot senderOf(const QueuedMessage& message);

  uint64_t ownAddress_ = 0;             // where the pod's address stands in the region, once it is known
  Slot endedListener_{};                // where connections are made that are to end at once
  uint64_t endedAddress_ = 0;
  std::map<uint32_t, Slot> peers_;      // by index: the other end of a connected unix socket
  std::vector<Slot> spare_;             // ends that nobody holds: closed when all queues are full
};

}  // namespace appshot
