// What of open files goes into an image: a part of core/image/model.h, which includes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace appshot {

// One open file description (what dup() and fork() share). The kind says which fields count.
enum class FileKind : uint32_t {
  Regular = 0,      // file, directory, or device node by path
  Pipe = 1,         // end of a pipe; `object` numbers the pipe
  Fifo = 2,         // named pipe
  Event = 3,        // eventfd
  Epoll = 4,
  Timer = 5,        // timerfd
  Signal = 6,       // signalfd
  Inotify = 7,
  Memfd = 8,        // `object` is an index into sharedMemory
  UnixPair = 9,     // connected unix socket whose peer is in the tree: `object` numbers the pair
  UnixListen = 10,
  UnixOther = 11,   // unix socket unbound, bound without listening, or whose peer is outside
  TcpListen = 12,
  TcpConnected = 13,
  TcpOther = 14,    // bound or fresh
  Udp = 15,
  Netlink = 16,
  TcpPair = 20,     // connected TCP socket whose other end is in the instance too: `object` numbers the pair
  TcpEnded = 21,    // was connected, or cannot be any more: what had come can still be read, then it has ended or is reset
  Pidfd = 30,       // `ownerPid` is the process, -1 one that is gone
  PosixQueue = 31,  // `object` is an index into ipc
};

struct EpollWatch {
  int32_t fd = 0;
  uint32_t events = 0;
  uint64_t userData = 0;
  uint32_t target = 0;    // index of the watched description
};

struct InotifyWatch {
  int32_t wd = 0;
  uint32_t mask = 0;
  std::string path;
};

struct SocketOption {
  int32_t level = 0, name = 0;
  std::string value;
};

// A message, or a piece of a stream, that waits in a socket.
struct QueuedMessage {
  std::string bytes;
  std::string from;             // sockaddr; empty where the sender has no name
  std::vector<uint32_t> files;  // open file descriptions that come with it
};

// A multicast group that a socket has joined.
struct Membership {
  uint32_t group = 0, interface = 0;  // in the byte order of the wire; index of the interface
  bool loopback = false;
  uint32_t mode = 0;                  // MCAST_INCLUDE, MCAST_EXCLUDE
  std::vector<uint32_t> sources;
};

// How a TcpEnded reads once what had come has been read.
enum TcpEnd : uint32_t { kTcpEndOfStream = 0, kTcpReset = 1 };

// Directions in which a connected socket has been shut down.
enum Shut : uint64_t { kShutReceive = 1, kShutSend = 2 };

// A connection to the outside, as TCP_REPAIR gives it and takes it. What has come is in the file's `contents`.
struct TcpConnection {
  bool kept = false;                    // else it reads as reset
  uint32_t sendNext = 0;                // sequence number of what is written next
  uint32_t receiveNext = 0;             // … of what comes next
  std::string outgoing;                 // written and not acknowledged
  uint32_t unsent = 0;                  // bytes at the end of that which have never been sent
  uint32_t segment = 0;                 // largest segment of both sides
  uint32_t sendScale = 0, receiveScale = 0;
  uint32_t options = 0;                 // TCPI_OPT_*
  uint32_t timestamp = 0;
  std::vector<uint32_t> window;         // struct tcp_repair_window
  uint32_t state = 1;                   // the kernel's TCP_ESTABLISHED, or another in which an end of stream has been said; no sequence number counts that
  bool endUnsent = false;               // ours has not been sent yet
};

struct OpenFile {
  uint32_t kind = 0;
  uint32_t flags = 0;         // O_* of F_GETFL
  std::string path;           // inside the pod
  uint64_t position = 0;
  bool deleted = false;       // `object` is then an index into ghosts
  std::string contents;       // pipe contents (of one in packet mode: see messages), unix socket queue
  uint32_t object = 0;        // pipe, pair or shared memory number
  bool writeEnd = false;      // of a pipe; second end of a pair
  uint64_t count = 0;         // eventfd count, timerfd ticks, pipe size; Shut bits of a connected socket
  uint64_t signalMask = 0;    // signalfd
  int32_t clock = 0;          // timerfd
  uint32_t timerFlags = 0;
  int64_t intervalNs = 0, valueNs = 0;
  std::vector<EpollWatch> watches;
  std::vector<InotifyWatch> inotify;
  int32_t socketType = 0, family = 0, protocol = 0, backlog = 0;
  std::string localAddress;   // sockaddr
  std::string peerAddress;
  std::vector<SocketOption> options;
  int32_t ownerType = -1, ownerPid = 0, ownerSignal = 0;
  int32_t flockType = -1;     // LOCK_SH / LOCK_EX, -1 none
  int32_t leaseType = -1;     // F_RDLCK / F_WRLCK, -1 none
  uint32_t mode = 0;          // of a path-bound unix socket
  std::vector<QueuedMessage> messages;  // where they are more than bytes: datagrams, and streams with descriptors in them
  uint32_t tcpEnd = 0;        // TcpEnd
  int64_t connectedTo = -1;   // of a datagram socket: index of the file it sends to
  TcpConnection tcp;          // of a TcpConnected
  int64_t waitsOn = -1;       // of a connection that nobody has accepted: index of the listening socket
  std::vector<Membership> memberships;
};

struct Descriptor {
  int32_t fd = 0;
  uint32_t file = 0;   // index into Image's files
  bool closeOnExec = false;
};

}  // namespace appshot
