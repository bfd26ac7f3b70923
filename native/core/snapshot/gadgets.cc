#include "core/snapshot/gadgets.h"

#include <sys/uio.h>

#include <algorithm>
#include <string_view>

namespace appshot {

using namespace std::string_view_literals;

static constexpr std::string_view kSyscallReturn = "\x0f\x05\xc3"sv;
static constexpr std::string_view kSigreturns[] = {"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"sv, "\xb8\x0f\x00\x00\x00\x0f\x05"sv};

static void searchMapping(pid_t pid, const MapLine& line, Gadgets& gadgets) {
  // In pieces that overlap, so that no pattern is missed at a seam.
  constexpr uint64_t kPiece = 256 * 1024, kOverlap = 16;
  std::string buffer(kPiece, '\0');
  for (uint64_t at = line.start; at < line.end; at += kPiece - kOverlap) {
    uint64_t bytes = std::min(kPiece, line.end - at);
    iovec local{buffer.data(), bytes}, remote{reinterpret_cast<void*>(at), bytes};
    ssize_t n = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (n <= 0) return;
    std::string_view text(buffer.data(), static_cast<size_t>(n));
    if (!gadgets.syscallReturn)
      if (size_t found = text.find(kSyscallReturn); found != text.npos) gadgets.syscallReturn = at + found;
    for (std::string_view pattern : kSigreturns)
      if (!gadgets.sigreturn)
        if (size_t found = text.find(pattern); found != text.npos) gadgets.sigreturn = at + found;
    if (gadgets.syscallReturn && gadgets.sigreturn) return;
    if (bytes < kPiece) return;
  }
}

Gadgets findGadgets(pid_t pid, const std::vector<MapLine>& maps) {
  Gadgets gadgets;
  // Libraries first: the C library has both, and a large program would be read in vain.
  for (bool libraries : {true, false})
    for (const MapLine& line : maps) {
      if (line.perms[0] != 'r' || line.perms[2] != 'x' || line.inode == 0 || line.path.empty()) continue;
      if ((line.path.find("/libc") != std::string::npos || line.path.find("/ld-") != std::string::npos) != libraries) continue;
      searchMapping(pid, line, gadgets);
      if (gadgets.syscallReturn && gadgets.sigreturn) return gadgets;
    }
  return gadgets;
}

}  // namespace appshot
