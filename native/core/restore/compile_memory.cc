#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <limits>

#include "core/image/image.h"
#include "core/restore/compile.h"
#include "core/template/classify.h"
#include "core/sys/error.h"
#include "core/sys/proc.h"

namespace appshot {

namespace {

constexpr uint64_t kTaskSize = 0x7ffffffff000;
constexpr size_t kMaxVectors = 1024;
// Where parked memory begins in the region.
constexpr uint64_t kParkedOffset = 1ull << 33;

VmaKind kindOf(const Vma& vma) { return static_cast<VmaKind>(vma.kind); }

// Where the kernel puts its pages relative to the vdso: the same for every program of this kernel.
struct VdsoLayout {
  uint64_t vdso = 0;
  std::vector<MapLine> pieces;
};
const VdsoLayout& vdsoLayout() {
  static const VdsoLayout layout = [] {
    VdsoLayout found;
    for (const MapLine& line : readMaps("self")) {
      if (line.path == "[vdso]") found.vdso = line.start;
      if (line.path == "[vdso]" || line.path.compare(0, 5, "[vvar") == 0) found.pieces.push_back(line);
    }
    return found;
  }();
  return layout;
}

struct VdsoMoves {
  VdsoMap park{}, place{};
};

VdsoMoves planVdso(const Compiler& compiler, const Process& process) {
  std::vector<const Vma*> targets;
  for (const Vma& vma : process.vmas)
    if (kindOf(vma) == VmaKind::Vdso || kindOf(vma) == VmaKind::Vvar) targets.push_back(&vma);
  const VdsoLayout& layout = vdsoLayout();
  if (targets.size() != layout.pieces.size() || targets.size() > 4)
    throw Error("environment-mismatch", "the kernel's vdso has another layout than in the image");
  VdsoMoves moves;
  uint64_t parking = compiler.region.parking();
  for (size_t i = 0; i < targets.size(); i++) {
    const MapLine& piece = layout.pieces[i];
    uint64_t bytes = piece.end - piece.start;
    if (bytes != targets[i]->end - targets[i]->start) throw Error("environment-mismatch", "the kernel's vdso has another size than in the image");
    if (kindOf(*targets[i]) == VmaKind::Vdso) moves.place.base = targets[i]->start;
    moves.park.piece[i] = {piece.start - layout.vdso, parking, bytes};
    moves.place.piece[i] = {parking, targets[i]->start, bytes};
    parking += bytes;
  }
  moves.park.count = moves.place.count = targets.size();
  return moves;
}

bool touches(const std::vector<PageRun>& runs, const Vma& vma) {
  auto after = std::lower_bound(runs.begin(), runs.end(), vma.start, [](const PageRun& run, uint64_t start) { return run.address + run.pages * kPageSize <= start; });
  return after != runs.end() && after->address < vma.end;
}

int mapFlags(const Vma& vma) {
  int flags = MAP_FIXED_NOREPLACE;
  VmaKind kind = kindOf(vma);
  bool shared = kind == VmaKind::FileShared || (kind == VmaKind::Shared && !(vma.advice & kAdvicePrivateShared));
  flags |= shared ? MAP_SHARED : MAP_PRIVATE;
  if (kind == VmaKind::Anonymous) flags |= MAP_ANONYMOUS;
  if (vma.advice & kAdviceGrowsDown) flags |= MAP_GROWSDOWN;
  if (vma.advice & kAdviceNoReserve) flags |= MAP_NORESERVE;
  return flags;
}

// Descriptors of the mapped files of one process, opened once each.
class MappedFiles {
 public:
  MappedFiles(Compiler& compiler, Tape& tape) : compiler_(compiler), tape_(tape) {}
  Slot open(uint32_t index) {
    auto known = slots_.find(index);
    if (known != slots_.end()) return known->second;
    const MappedFile& file = compiler_.state.mappedFiles[index];
    if (file.deleted) return compiler_.ghosts[file.ghost];
    Slot slot = tape_.call("open a mapped file", SYS_openat, {AT_FDCWD, compiler_.region.add(file.path), (file.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0}, true);
    slots_.emplace(index, slot);
    return slot;
  }
  void closeAll() {
    for (auto& [index, slot] : slots_) tape_.call("close a mapped file", SYS_close, {slot});
  }

 private:
  Compiler& compiler_;
  Tape& tape_;
  std::map<uint32_t, Slot> slots_;
};

// What a zygote cannot hold for its clones: each has shared memory and files without a name of its own.
bool isShared(const State& state, const Vma& vma) {
  bool nameless = kindOf(vma) == VmaKind::FilePrivate && state.mappedFiles[vma.object].deleted;
  return nameless || kindOf(vma) == VmaKind::Shared || kindOf(vma) == VmaKind::FileShared || kindOf(vma) == VmaKind::SysV;
}

enum class Which { All, Private, Shared };

bool wanted(const State& state, const Vma& vma, Which which) { return which == Which::All || isShared(state, vma) == (which == Which::Shared); }

void mapLazyRanges(Tape& tape, const Process& process, const LazyMemory& lazy) {
  for (const Vma& vma : process.vmas)
    if (lazy.contains(vma.start)) tape.callExact("map memory", SYS_mmap, {vma.start, vma.end - vma.start, vma.prot, mapFlags(vma), -1, 0}, vma.start);
}

void mapRanges(Compiler& compiler, Tape& tape, const Process& process, MappedFiles& files, Which which, const LazyMemory& lazy) {
  for (const Vma& vma : process.vmas) {
    VmaKind kind = kindOf(vma);
    if (kind == VmaKind::Vdso || kind == VmaKind::Vvar || !wanted(compiler.state, vma, which) || lazy.contains(vma.start)) continue;
    if (kind == VmaKind::SysV) {
      tape.callExact("attach shared memory", SYS_shmat, {vma.object, vma.start, vma.prot & PROT_WRITE ? 0 : SHM_RDONLY}, vma.start);
      continue;
    }
    uint64_t prot = vma.prot | (touches(process.runs, vma) ? PROT_WRITE : 0);
    if (auto parked = compiler.parked.find({process.pid, vma.start}); parked != compiler.parked.end()) {
      uint64_t bytes = vma.end - vma.start;
      tape.callExact("move memory into its place", SYS_mremap, {parked->second, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, vma.start}, vma.start);
      continue;
    }
    Argument fd = -1;
    if (kind == VmaKind::FilePrivate || kind == VmaKind::FileShared) fd = files.open(vma.object);
    if (kind == VmaKind::Shared) fd = compiler.sharedMemory[vma.object];
    tape.callExact("map memory", SYS_mmap, {vma.start, vma.end - vma.start, prot, mapFlags(vma), fd, vma.offset}, vma.start);
  }
}

// In the order of the files, where the pages of a process stand one after the other: few calls, each with a list of places.
void fillPages(Compiler& compiler, Tape& tape, std::vector<PageRun> runs) {
  std::sort(runs.begin(), runs.end(), [](const PageRun& a, const PageRun& b) { return a.position < b.position; });
  std::vector<iovec> vectors;
  uint64_t start = 0, bytes = 0;
  auto flush = [&] {
    if (vectors.empty()) return;
    uint64_t table = compiler.region.addTable(vectors);
    tape.callExact("read pages", SYS_preadv, {start < compiler.space.base ? compiler.base : compiler.pages, table, vectors.size(), start, 0}, bytes);
    vectors.clear();
    bytes = 0;
  };
  for (const PageRun& run : runs) {
    uint64_t size = run.pages * kPageSize;
    if (vectors.size() == kMaxVectors || (!vectors.empty() && run.position != start + bytes) || run.position == compiler.space.base || bytes + size > (1u << 30)) flush();
    if (vectors.empty()) start = run.position;
    vectors.push_back({reinterpret_cast<void*>(run.address), size});
    bytes += size;
  }
  flush();
}

// The runs that are read before the program goes on.
std::vector<PageRun> runsOf(const Compiler& compiler, const Process& process, Which which, const LazyMemory& lazy) {
  std::vector<PageRun> runs;
  auto vma = process.vmas.begin();
  for (const PageRun& run : process.runs) {
    while (vma != process.vmas.end() && vma->end <= run.address) ++vma;
    if (vma != process.vmas.end() && wanted(compiler.state, *vma, which) && !lazy.contains(run.address) && !compiler.parked.count({process.pid, vma->start})) runs.push_back(run);
  }
  return runs;
}

void finalProtection(const State& state, Tape& tape, const Process& process, Which which, const LazyMemory& lazy) {
  for (const Vma& vma : process.vmas)
    if (wanted(state, vma, which) && !lazy.contains(vma.start) && !(vma.prot & PROT_WRITE) && kindOf(vma) != VmaKind::Vdso && kindOf(vma) != VmaKind::Vvar && touches(process.runs, vma))
      tape.call("protect memory", SYS_mprotect, {vma.start, vma.end - vma.start, vma.prot});
}

void advise(const State& state, Tape& tape, const Process& process, Which which) {
  static constexpr std::pair<uint32_t, int> kAdvice[] = {{kAdviceDontDump, MADV_DONTDUMP}, {kAdviceHugepage, MADV_HUGEPAGE}, {kAdviceNoHugepage, MADV_NOHUGEPAGE},
                                                         {kAdviceMergeable, MADV_MERGEABLE}, {kAdviceSequential, MADV_SEQUENTIAL}, {kAdviceRandom, MADV_RANDOM}};
  for (const Vma& vma : process.vmas) {
    if (kindOf(vma) == VmaKind::Vdso || kindOf(vma) == VmaKind::Vvar || !wanted(state, vma, which)) continue;
    for (auto [bit, advice] : kAdvice)
      if (vma.advice & bit) tape.attempt("advise memory", SYS_madvise, {vma.start, vma.end - vma.start, advice});
    if (vma.advice & kAdviceLocked) tape.attempt("lock memory", SYS_mlock, {vma.start, vma.end - vma.start});
  }
}

// uapi/linux/prctl.h: struct prctl_mm_map
struct MmMap {
  uint64_t startCode, endCode, startData, endData, startBrk, brk, startStack, argStart, argEnd, envStart, envEnd, auxv;
  uint32_t auxvBytes, exeFd;
};

void setLayout(Compiler& compiler, Tape& tape, const Process& process) {
  const MemoryLayout& layout = process.layout;
  MmMap map{layout.startCode, layout.endCode, layout.startData, layout.endData, layout.startBrk, layout.brk, layout.startStack,
            layout.argStart, layout.argEnd, layout.envStart, layout.envEnd, 0, static_cast<uint32_t>(layout.auxv.size()), UINT32_MAX};
  map.auxv = compiler.region.add(layout.auxv.data(), layout.auxv.size());
  uint64_t address = compiler.region.add(&map, sizeof map);
  bool isGhost = process.exeGhost >= 0;
  if (isGhost && compiler.ghosts.empty()) {
    // In a zygote, before there is the file: compileSharedMemory() sets it.
    tape.call("set the memory layout", SYS_prctl, {PR_SET_MM, PR_SET_MM_MAP, address, sizeof map, 0});
    return;
  }
  Slot exe = isGhost ? tape.call("take the program", SYS_dup, {compiler.ghosts[static_cast<size_t>(process.exeGhost)]}, true)
                     : tape.call("open the program", SYS_openat, {AT_FDCWD, compiler.region.add(layout.exe), O_RDONLY | O_CLOEXEC, 0}, true);
  // The descriptor's number is known only then: written into the structure, of which it is the last field.
  tape.op(OP_STORE, "store", {address + offsetof(MmMap, exeFd), exe});
  tape.call("set the memory layout", SYS_prctl, {PR_SET_MM, PR_SET_MM_MAP, address, sizeof map, 0});
  tape.call("close the program", SYS_close, {exe});
}

}  // namespace

static void mapAndFill(Compiler& compiler, Tape& tape, const Process& process, Which which, const LazyMemory& lazy) {
  MappedFiles files(compiler, tape);
  mapRanges(compiler, tape, process, files, which, lazy);
  fillPages(compiler, tape, runsOf(compiler, process, which, lazy));
  finalProtection(compiler.state, tape, process, which, lazy);
  advise(compiler.state, tape, process, which);
  files.closeAll();
}

// Whole page tables can be moved where both places lie alike in them.
static uint64_t parkingOf(Compiler& compiler, const Vma& vma) {
  constexpr uint64_t kTableBytes = 2ull << 20;
  uint64_t from = compiler.parkedEnd ? compiler.parkedEnd : compiler.region.base() + kParkedOffset;
  uint64_t at = from / kTableBytes * kTableBytes + vma.start % kTableBytes;
  if (at < from) at += kTableBytes;
  uint64_t end = at + (vma.end - vma.start);
  if (end > compiler.region.base() + compiler.regionBytes) return 0;  // it is filled in each clone again
  compiler.parkedEnd = end;
  return at;
}

void compileParkedMemory(Compiler& compiler, Tape& tape, const Process& process) {
  MappedFiles files(compiler, tape);
  std::vector<PageRun> runs;
  for (const Vma& vma : process.vmas) {
    VmaKind kind = kindOf(vma);
    if ((kind != VmaKind::Anonymous && kind != VmaKind::FilePrivate) || isShared(compiler.state, vma) || !touches(process.runs, vma)) continue;
    uint64_t at = parkingOf(compiler, vma);
    if (at == 0) continue;
    compiler.parked[{process.pid, vma.start}] = at;
    Argument fd = -1;
    if (kind == VmaKind::FilePrivate) fd = files.open(vma.object);
    tape.callExact("map memory", SYS_mmap, {at, vma.end - vma.start, vma.prot | PROT_WRITE, mapFlags(vma), fd, vma.offset}, at);
    for (PageRun run : process.runs) {
      if (run.address < vma.start || run.address >= vma.end) continue;
      run.address += at - vma.start;
      runs.push_back(run);
    }
  }
  fillPages(compiler, tape, runs);
  files.closeAll();
}

void compileUnpark(Compiler& compiler, Tape& tape) {
  if (compiler.parkedEnd == 0) return;
  uint64_t start = compiler.region.base() + kParkedOffset;
  tape.call("let go of the others' memory", SYS_munmap, {start, compiler.parkedEnd - start});
}

void compileSharedMemory(Compiler& compiler, Tape& tape, const Process& process) {
  mapAndFill(compiler, tape, process, Which::Shared, {});
  if (process.exeGhost >= 0) setLayout(compiler, tape, process);
}

MemoryBegun beginMemory(Compiler& compiler, Tape& tape, const Process& process, bool withShared) {
  VdsoMoves moves = planVdso(compiler, process);
  uint64_t park = compiler.region.add(&moves.park, sizeof moves.park);
  MemoryBegun begun;
  begun.vdsoPlaces = compiler.region.add(&moves.place, sizeof moves.place);
  uint64_t regionEnd = compiler.region.base() + compiler.regionBytes;
  tape.op(OP_VDSO, "park the vdso", {0, park});
  tape.call("clear the address space below", SYS_munmap, {0, compiler.region.base()});
  tape.call("clear the address space above", SYS_munmap, {regionEnd, kTaskSize - regionEnd});
  if (!withShared) return begun;
  begun.lazy = planLazyMemory(compiler, process);
  for (const PageRun& run : runsOf(compiler, process, Which::All, begun.lazy))
    begun.lazy.plan.early.push_back({run.address, run.address + run.pages * kPageSize, run.position});
  mapLazyRanges(tape, process, begun.lazy);
  begun.uffd = compileLazyMemory(compiler, tape, begun.lazy);
  return begun;
}

void finishMemory(Compiler& compiler, Tape& tape, const Process& process, bool withShared, const MemoryBegun& begun) {
  mapAndFill(compiler, tape, process, withShared ? Which::All : Which::Private, begun.lazy);
  compileFirstPages(compiler, tape, begun.lazy, begun.uffd);
  tape.op(OP_VDSO, "place the vdso", {1, begun.vdsoPlaces});
  setLayout(compiler, tape, process);
  tape.mark(MARK_MEMORY);
}

// One call for ranges that follow each other without other memory of the program in between: the kernel advises those that there
// are, and then complains of the holes. The restorer's region may be among them: it forks no more.
static void adviseDontFork(Tape& tape, const Process& process) {
  for (auto vma = process.vmas.begin(); vma != process.vmas.end();) {
    auto first = vma;
    while (vma != process.vmas.end() && (vma->advice & kAdviceDontFork)) ++vma;
    if (vma == first) ++vma;
    else tape.attempt("advise memory", SYS_madvise, {first->start, std::prev(vma)->end - first->start, MADV_DONTFORK});
  }
}

void compileForkAdvice(Compiler& compiler, Tape& tape, const Process& process) {
  adviseDontFork(tape, process);
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE (5.14): ends the sharing of every page
  bool duplicates = compiler.purpose == Purpose::Zygote && duplicatesMemory(compiler.state.rules, process.threads.front().comm);
  for (const Vma& vma : process.vmas) {
    uint64_t bytes = vma.end - vma.start;
    bool isWritten = static_cast<VmaKind>(vma.kind) == VmaKind::Anonymous && (vma.prot & PROT_WRITE) && !(vma.advice & kAdviceWipeOnFork);
    if (duplicates && isWritten) tape.attempt("duplicate memory", SYS_madvise, {vma.start, bytes, kPopulateWrite});
    if (compiler.purpose == Purpose::Zygote && (vma.advice & kAdviceLocked)) tape.attempt("lock memory", SYS_mlock, {vma.start, bytes});
    if (!(vma.advice & kAdviceWipeOnFork)) continue;
    // A clone is a fork to its program; the same instance coming back is not.
    if (compiler.purpose == Purpose::Zygote) tape.attempt("wipe memory", SYS_madvise, {vma.start, bytes, MADV_DONTNEED});
    tape.attempt("advise memory", SYS_madvise, {vma.start, bytes, MADV_WIPEONFORK});
  }
}

}  // namespace appshot
