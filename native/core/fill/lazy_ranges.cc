#include "core/fill/lazy_ranges.h"

#include <sys/user.h>

#include <algorithm>
#include <cstring>

namespace appshot {

bool mayBeLazy(const Process& process, const Vma& vma) {
  if (static_cast<VmaKind>(vma.kind) != VmaKind::Anonymous || (vma.advice & (kAdviceGrowsDown | kAdviceLocked))) return false;
  return std::none_of(process.threads.begin(), process.threads.end(), [&](const Thread& thread) {
    user_regs_struct registers;
    std::memcpy(&registers, thread.registers.data(), sizeof registers);
    return (registers.rsp > vma.start && registers.rsp <= vma.end) || (thread.rseqAddress >= vma.start && thread.rseqAddress < vma.end) ||
           (thread.tidAddress >= vma.start && thread.tidAddress < vma.end);
  });
}

}  // namespace appshot
