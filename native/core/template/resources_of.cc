// The resources of a saved instance, each with what the criteria ask of it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <map>

#include "core/template/classify.h"
#include "core/template/references.h"

namespace appshot {

namespace {

std::string whoIs(const Process& process) {
  return "pid " + std::to_string(process.pid) + (process.threads.empty() ? "" : " (" + process.threads.front().comm + ")");
}

// A redirected path as its rule has it, tags and all; other paths as they are.
std::string readable(const std::string& path, const std::vector<Rule>& rules, std::string* from) {
  size_t number = 0;
  for (const Rule& rule : rules) {
    if (!rule.is(RuleKind::Redirect)) continue;
    std::string link = redirectLink(++number);
    if (path.rfind(link, 0) != 0 || (path.size() > link.size() && path[link.size()] != '/')) continue;
    std::string rest = path.substr(link.size());
    if (from) *from = rule.subject + rest;
    return rule.value + rest;
  }
  return path;
}

struct Address {
  uint16_t port = 0;
  bool loopback = false;
  std::string text;
};

Address addressIn(const std::string& bytes) {
  Address address;
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() >= sizeof(sockaddr_in6) && reinterpret_cast<const sockaddr*>(bytes.data())->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, bytes.data(), sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    address = {ntohs(v6.sin6_port), std::strcmp(text, "::1") == 0 || std::strncmp(text, "::ffff:127.", 11) == 0, std::string("[") + text + "]"};
  } else if (bytes.size() >= sizeof(sockaddr_in) && reinterpret_cast<const sockaddr*>(bytes.data())->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, bytes.data(), sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    address = {ntohs(v4.sin_port), (ntohl(v4.sin_addr.s_addr) >> 24) == 127, text};
  }
  address.text += ":" + std::to_string(address.port);
  return address;
}

// Path or abstract name of a unix socket.
std::string unixName(const std::string& bytes) {
  if (bytes.size() <= offsetof(sockaddr_un, sun_path)) return "";
  std::string name = bytes.substr(offsetof(sockaddr_un, sun_path));
  if (name[0] == '\0') name[0] = '@';
  return name.substr(0, name.find('\0'));
}

class Listing {
 public:
  Listing(const State& state, const Surroundings& surroundings, const std::vector<Rule>& rules) : state_(state), surroundings_(surroundings), rules_(rules) {}

  std::vector<Traits> all() {
    identities();
    files();
    for (const Process& process : state_.processes) {
      processAndThreads(process);
      if (!process.zombie) memoryOf(process);
    }
    for (const SharedMemory& memory : state_.sharedMemory)
      add(ResourceType::SharedMemory, memory.name.empty() ? "anonymous shared memory" : "memfd " + memory.name, memory.size).modifiable = true;
    for (const IpcObject& object : state_.ipc) ipc(object);
    for (const OpenFile& file : state_.files) openFile(file);
    return std::move(list_);
  }

 private:
  Traits& add(ResourceType type, std::string identity, uint64_t size = 0) {
    list_.push_back({});
    list_.back().type = type;
    list_.back().identity = std::move(identity);
    list_.back().size = size;
    return list_.back();
  }

  // What tells one instance from another.
  void identities() {
    add(ResourceType::HostName, state_.hostName.empty() ? "host name" : state_.hostName).unique = Traits::Unique::OnNetwork;
    add(ResourceType::Address, surroundings_.address).unique = Traits::Unique::OnNetwork;
    add(ResourceType::Clock, "monotonic clock, time since boot").unique = Traits::Unique::OnSystem;
    for (const Rule& rule : rules_) {
      if (rule.is(RuleKind::SetEnv)) add(ResourceType::Variable, rule.subject + "=" + rule.value).path = rule.subject;
      if (rule.is(RuleKind::Redirect)) add(ResourceType::Path, rule.subject + " -> " + rule.value).path = rule.subject;
    }
  }

  void files() {
    Traits& view = add(ResourceType::Files, "the instance's files", surroundings_.layerBytes);
    view.modifiable = view.largeWithObject = true;
    for (const std::string& volume : surroundings_.volumes) {
      Traits& traits = add(ResourceType::Volume, volume);
      traits.shared = true;
      traits.path = volume;
    }
    for (const Rule& rule : rules_)
      if (rule.is(RuleKind::Override) && rule.qualifier == "path" && rule.value != "share") {
        Traits& traits = add(ResourceType::Files, rule.subject);
        traits.path = rule.subject;
        traits.modifiable = traits.largeWithObject = true;
      }
  }

  void processAndThreads(const Process& process) {
    add(ResourceType::Process, whoIs(process)).unique = Traits::Unique::OnSystem;
    for (const Thread& thread : process.threads)
      if (thread.tid != process.pid) add(ResourceType::Thread, "tid " + std::to_string(thread.tid) + " (" + thread.comm + ") of " + whoIs(process)).unique = Traits::Unique::OnSystem;
    if (process.zombie) return;
    Traits& random = add(ResourceType::Randomness, whoIs(process));
    // Without the preloaded library they cannot be renewed: what is left is a copy.
    if (process.configurator) random.unique = Traits::Unique::OnNetwork;
    else random.modifiable = true;
  }

  void memoryOf(const Process& process) {
    struct Group { uint64_t bytes = 0; size_t ranges = 0; bool writable = false, deleted = false; ResourceType type = ResourceType::Memory; std::string path; };
    std::map<std::string, Group> groups;
    for (const Vma& vma : process.vmas) {
      auto kind = static_cast<VmaKind>(vma.kind);
      if (kind == VmaKind::Vdso || kind == VmaKind::Vvar || kind == VmaKind::Shared || kind == VmaKind::SysV) continue;
      std::string name = "anonymous memory";
      Group fresh;
      if (kind == VmaKind::FilePrivate || kind == VmaKind::FileShared) {
        fresh.type = ResourceType::MappedFile;
        name = readable(state_.mappedFiles[vma.object].path, rules_, &fresh.path);
        if (fresh.path.empty()) fresh.path = state_.mappedFiles[vma.object].path;
        name += kind == VmaKind::FileShared ? ", shared" : "";
        // Each clone has one of its own.
        fresh.deleted = state_.mappedFiles[vma.object].deleted;
        name += fresh.deleted ? " (deleted)" : "";
      } else if (vma.advice & kAdviceWipeOnFork) {
        name = "memory that is emptied in a clone";
      } else if (vma.advice & kAdviceGrowsDown) {
        name = "stack";
      } else if (vma.start < process.layout.brk && vma.end > process.layout.startBrk) {
        name = "heap";
      }
      Group& group = groups.try_emplace(name, fresh).first->second;
      group.bytes += vma.end - vma.start;
      group.ranges++;
      group.writable = group.writable || (vma.prot & PROT_WRITE) || kind == VmaKind::Anonymous;
    }
    for (const auto& [name, group] : groups) {
      std::string ranges = group.ranges > 1 ? " (" + std::to_string(group.ranges) + " ranges)" : "";
      Traits& traits = add(group.type, name + ranges + " of " + whoIs(process), group.bytes);
      bool isMemory = group.type == ResourceType::Memory;
      traits.path = isMemory ? process.threads.front().comm : group.path;
      traits.shared = !group.writable && !group.deleted;
      traits.modifiable = group.writable || group.deleted;
      traits.largeWithObject = group.writable && !group.deleted;  // files, and memory that the zygote holds
    }
  }

  void ipc(const IpcObject& object) {
    auto kind = static_cast<IpcKind>(object.kind);
    ResourceType type = kind == IpcKind::SharedMemory ? ResourceType::SharedMemory : kind == IpcKind::Semaphores ? ResourceType::Semaphores : ResourceType::MessageQueue;
    uint64_t bytes = kind == IpcKind::SharedMemory ? object.size : 0;
    for (const IpcMessage& message : object.messages) bytes += message.bytes.size();
    char key[16];
    std::snprintf(key, sizeof key, "0x%08x", object.key);
    std::string identity = "System V id " + std::to_string(object.id) + ", key " + key;
    if (kind == IpcKind::PosixQueue) identity = "POSIX queue " + (object.destroyed ? "without a name" : object.name);
    add(type, identity, bytes).modifiable = true;
  }

  void openFile(const OpenFile& file) {
    switch (static_cast<FileKind>(file.kind)) {
      case FileKind::Regular: return regular(file);
      case FileKind::Pipe:
      case FileKind::Fifo: add(ResourceType::Pipe, file.path.empty() ? "pipe" : file.path, file.contents.size()).modifiable = true; return;
      case FileKind::Event: add(ResourceType::Event, "eventfd with " + std::to_string(file.count)).modifiable = true; return;
      case FileKind::Epoll: add(ResourceType::Event, "epoll set of " + std::to_string(file.watches.size())); return;
      case FileKind::Timer: add(ResourceType::Event, "timerfd"); return;
      case FileKind::Signal: add(ResourceType::Event, "signalfd"); return;
      case FileKind::Inotify: add(ResourceType::Event, "inotify watches"); return;
      case FileKind::Pidfd: add(ResourceType::Event, "pidfd"); return;
      case FileKind::Memfd: return;       // listed as shared memory
      case FileKind::PosixQueue: return;  // listed as a message queue
      case FileKind::TcpConnected: return connection(file);
      case FileKind::TcpListen: return port(file, "tcp ");
      case FileKind::Udp: return port(file, "udp ");
      case FileKind::UnixListen: add(ResourceType::Socket, "unix socket " + unixName(file.localAddress)).unique = Traits::Unique::OnSystem; return;
      default: add(ResourceType::Socket, "socket", file.contents.size()).modifiable = true; return;
    }
  }

  void regular(const OpenFile& file) {
    std::string from;
    std::string path = readable(file.path, rules_, &from);
    Traits& traits = add(ResourceType::OpenFile, path + (file.deleted ? " (deleted)" : ""), file.deleted ? state_.ghosts[file.object].contents.size() : file.contents.size());
    traits.path = from.empty() ? path : from;
    bool writes = (file.flags & O_ACCMODE) != O_RDONLY;
    traits.shared = !writes && !file.deleted;
    traits.modifiable = writes || file.deleted;
    traits.largeWithObject = writes && !file.deleted;
  }

  void port(const OpenFile& file, const char* protocol) {
    Address address = addressIn(file.localAddress);
    Traits& traits = add(ResourceType::Port, protocol + address.text);
    traits.path = std::to_string(address.port);
    traits.unique = Traits::Unique::OnSystem;
    traits.exported = protocol[0] == 't' && address.port == surroundings_.port && !address.loopback;
  }

  // One between members is copied with both its ends; one to the outside stays the parent's.
  void connection(const OpenFile& file) {
    Address here = addressIn(file.localAddress), there = addressIn(file.peerAddress);
    Traits& traits = add(ResourceType::Connection, "tcp " + here.text + " - " + there.text, file.contents.size());
    traits.modifiable = there.loopback || there.text.rfind(surroundings_.address + ":", 0) == 0;
    traits.unique = Traits::Unique::OnNetwork;
  }

  const State& state_;
  const Surroundings& surroundings_;
  const std::vector<Rule>& rules_;
  std::vector<Traits> list_;
};

}  // namespace

std::vector<Traits> resourcesOf(const State& state, const Surroundings& surroundings, const std::vector<Rule>& rules) {
  return Listing(state, surroundings, rules).all();
}

}  // namespace appshot
