// The part of FileCollector that knows sockets; TCP is in collect_tcp.cc.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>

#include "core/snapshot/collect_files.h"
#include "core/snapshot/socket_reading.h"
#include "core/snapshot/unix_peers.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

[[noreturn]] void refuse(int fd, const std::string& what) {
  throw Error("unsupported-state", "fd " + std::to_string(fd) + " is " + what + "; not supported");
}

bool hasName(const OpenFile& file) { return file.localAddress.size() > sizeof(sa_family_t); }

}  // namespace

void FileCollector::describeSocket(const Opened& opened, OpenFile& file) {
  int fd = opened.here.get();
  file.family = socketOption(fd, SOL_SOCKET, SO_DOMAIN, 0);
  file.socketType = socketOption(fd, SOL_SOCKET, SO_TYPE, 0);
  file.protocol = socketOption(fd, SOL_SOCKET, SO_PROTOCOL, 0);
  collectSocketOptions(fd, opened.fd, file);
  file.localAddress = localAddressOf(fd);
  if (file.family == AF_UNIX) describeUnix(opened, file);
  else if (file.family == AF_INET || file.family == AF_INET6) describeInet(opened, file);
  else if (file.family == AF_NETLINK) describeNetlink(opened, file);
  else refuse(opened.fd, "a socket of family " + std::to_string(file.family));
}

void FileCollector::describeInet(const Opened& opened, OpenFile& file) {
  if (file.socketType == SOCK_STREAM && (file.protocol == IPPROTO_TCP || file.protocol == 0)) return describeTcp(opened, file);
  if (file.socketType != SOCK_DGRAM || (file.protocol != IPPROTO_UDP && file.protocol != 0))
    refuse(opened.fd, file.socketType == SOCK_RAW ? "a raw socket" : "a socket of protocol " + std::to_string(file.protocol));
  file.kind = static_cast<uint32_t>(FileKind::Udp);
  file.peerAddress = peerAddressOf(opened.here.get());
  if (!multicastGroups_) multicastGroups_ = readMulticastGroups(podInit_);
  collectMemberships(opened.here.get(), *multicastGroups_, file);
}

void FileCollector::describeNetlink(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Netlink);
  // An answer that is read in pieces cannot be asked for again in the program's name. Asked by poll(), which takes no error from it.
  pollfd query{opened.here.get(), POLLIN, 0};
  if (::poll(&query, 1, 0) > 0 && (query.revents & POLLIN)) refuse(opened.fd, "a netlink socket with messages waiting");
}

// To whom it is connected is asked when nothing waits to be accepted any more: see resolveUnix().
void FileCollector::describeUnix(const Opened& opened, OpenFile& file) {
  if (hasName(file)) file.mode = modeOfName(opened, file);
  bool listens = socketOption(opened.here.get(), SOL_SOCKET, SO_ACCEPTCONN, 0);
  file.kind = static_cast<uint32_t>(listens ? FileKind::UnixListen : FileKind::UnixOther);
  if (listens) file.backlog = 511;
}

// Of a name in the file system; 0 where there is none.
uint32_t FileCollector::modeOfName(const Opened& opened, const OpenFile& file) {
  auto* address = reinterpret_cast<const sockaddr_un*>(file.localAddress.data());
  if (address->sun_path[0] == '\0') return 0;
  struct stat status{};
  std::string path = "/proc/" + std::to_string(opened.pid) + (address->sun_path[0] == '/' ? "/root" : "/cwd/") + address->sun_path;
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

void FileCollector::resolveUnix() {
  std::map<uint64_t, uint32_t> byInode;
  for (uint32_t index = 0; index < state_.files.size(); index++)
    if (state_.files[index].family == AF_UNIX) byInode[opened_[index].inode] = index;
  if (byInode.empty()) return;
  std::map<uint64_t, UnixPeer> peers = readUnixPeers(podInit_);
  for (auto [inode, index] : byInode) {
    OpenFile& file = state_.files[index];
    auto known = peers.find(inode);
    if (file.kind != static_cast<uint32_t>(FileKind::UnixOther) || known == peers.end()) continue;
    file.count = known->second.shutdown;
    uint64_t other = known->second.inode;  // 0: it was connected, and its peer is gone
    auto peer = byInode.find(other);
    bool isMutual = peer != byInode.end() && peers[other].inode == inode;
    if (isMutual || file.socketType != SOCK_DGRAM) {
      // Where its peer is nobody's descriptor any more, or somebody outside, it still holds what had come, then reads as closed.
      file.kind = static_cast<uint32_t>(FileKind::UnixPair);
      file.object = objectNumber(other ? std::min(inode, other) : inode);
      file.writeEnd = isMutual && peer->second < index;  // the second of the two
    } else if (peer != byInode.end()) {
      file.connectedTo = peer->second;  // somebody who does not send to it alone
    }
  }
}

// What waits in unix and UDP sockets. Descriptors that come with it may be open nowhere else: they are described like those of a
// process, and what waits in them is looked at in turn.
void FileCollector::collectQueues() {
  for (uint32_t index = 0; index < state_.files.size(); index++) {
    auto kind = static_cast<FileKind>(state_.files[index].kind);
    if (kind != FileKind::UnixOther && kind != FileKind::Udp) continue;
    int fd = opened_[index].here.get();
    bool isStream = state_.files[index].socketType == SOCK_STREAM;
    std::vector<WaitingMessage> waiting;
    // A look behind the first message would move the program's own; one at datagrams takes an error with it that is meant for it.
    if (course_.rehearses) waiting = kind == FileKind::Udp ? std::vector<WaitingMessage>{} : peekFirst(fd);
    else waiting = isStream ? peekUnixStream(fd) : peekDatagrams(fd);
    if (isStream && waiting.size() == 1 && waiting[0].passed.empty()) {
      state_.files[index].contents = std::move(waiting[0].bytes);
      continue;
    }
    for (WaitingMessage& message : waiting) {
      QueuedMessage queued{std::move(message.bytes), std::move(message.from), {}};
      for (UniqueFd& passed : message.passed) queued.files.push_back(describePassed(opened_[index].fd, std::move(passed)));
      state_.files[index].messages.push_back(std::move(queued));
    }
  }
}

uint32_t FileCollector::describePassed(int over, UniqueFd passed) {
  try {
    int fd = passed.get();
    return describe(look(::getpid(), fd, std::move(passed)));
  } catch (const Error& error) {
    if (error.code() != "unsupported-state") throw;
    throw Error("unsupported-state", "a descriptor on its way over fd " + std::to_string(over) + ": " + error.what());
  }
}

}  // namespace appshot
