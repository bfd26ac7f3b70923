#include "core/snapshot/closed_doors.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iterator>

#include "core/sys/proc.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// What asks for a connection is dropped; what finishes one is not, for its peer believes that it is there. Of TCP the filter sees the
// header first, with the flags in byte 13. The first instruction does nothing: it is the mark by which the filter is known again.
// Who still gets in has it too, and is never asked for a connection.
constexpr sock_filter kDropRequests[] = {
    {BPF_LD | BPF_IMM, 0, 0, 0x41534431 /* ASD1 */},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
    {BPF_JMP | BPF_JSET | BPF_K, 0, 1, 0x02 /* SYN */},
    {BPF_RET | BPF_K, 0, 0, 0},
    {BPF_RET | BPF_K, 0, 0, 0xffffffff},
};

std::string filterOf(int fd) {
  socklen_t count = 0;  // of instructions
  if (::getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, nullptr, &count) < 0) return "?";  // made of BPF, which cannot be read
  std::string code(count * sizeof(sock_filter), '\0');
  if (count > 0 && ::getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code.data(), &count) < 0) return "?";
  return code;
}

void open(int fd) {
  int none = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}

}  // namespace

bool isClosedDoor(const std::string& filter) { return filter.size() == sizeof kDropRequests && std::memcmp(filter.data(), kDropRequests, sizeof kDropRequests) == 0; }

void ClosedDoors::close(int fd) {
  if (!filterOf(fd).empty()) return;
  UniqueFd door = sysFd("hold a listening socket", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); });
  sock_fprog program{std::size(kDropRequests), const_cast<sock_filter*>(kDropRequests)};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) doors_.push_back(std::move(door));
}

ClosedDoors::~ClosedDoors() {
  for (const UniqueFd& door : doors_) open(door.get());
}

void openDoorsOf(const std::vector<pid_t>& pids) {
  for (pid_t pid : pids) {
    UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.valid()) continue;
    std::string directory = "/proc/" + std::to_string(pid) + "/fd/";
    for (const std::string& name : listDirectoryIfThere(directory)) {
      if (readLink(directory + name).rfind("socket:", 0) != 0) continue;
      UniqueFd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), std::atoi(name.c_str()), 0)));
      if (socket.valid() && isClosedDoor(filterOf(socket.get()))) open(socket.get());
    }
  }
}

}  // namespace appshot
