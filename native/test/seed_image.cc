#include "test/seed_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>

#include "core/image/compressed_pages.h"
#include "core/sys/sys.h"

namespace appshot {

static Thread seedThread(int32_t tid) {
  Thread thread;
  thread.tid = tid;
  thread.comm = "a (name) )\n";
  thread.registers.assign(27 * 8, '\1');
  thread.xstate.assign(832, '\0');
  thread.signalMask = 0x123;
  thread.credentials.groups = {5, 6};
  thread.queued = {{std::string(128, '\2')}};
  return thread;
}

static Process seedProcess(int32_t pid, int32_t parent) {
  Process process;
  process.pid = process.pgid = process.sid = pid;
  process.ppid = parent;
  process.threads = {seedThread(pid), seedThread(pid + 100)};
  process.vmas = {{0x400000, 0x402000, 0, PROT_READ | PROT_EXEC, static_cast<uint32_t>(VmaKind::FilePrivate), 0, 0},
                  {0x500000, 0x510000, 0, PROT_READ | PROT_WRITE, static_cast<uint32_t>(VmaKind::Anonymous), 0, kAdviceDontDump},
                  {0x600000, 0x601000, 0, PROT_READ | PROT_WRITE, static_cast<uint32_t>(VmaKind::Shared), 0, 0}};
  process.runs = {{0x500000, 2, 0}, {0x508000, 1, 8192}};
  process.descriptors = {{0, 0, false}, {7, 1, true}, {8, 2, false}};
  process.actions = {{10, 0x401000, 4, 0x401100, 0}};
  process.posixTimers = {{1, 1, 0, 34, 0, 99, 1000, 2000, 0}};
  process.limits = {{1, 2}, {3, ~0ull}};
  process.cwd = "/srv/\xff odd";
  process.layout.exe = "/bin/program";
  process.layout.auxv.assign(320, '\3');
  return process;
}

State seedState() {
  State state;
  state.environment.kernel = "6.1";
  state.hostName = "host";
  state.monotonicNs = 5;
  state.mappedFiles = {{"/bin/program", false, 8192, 7, false, ""}};
  SharedMemory memory;
  memory.size = 4096;
  memory.name = "shared";
  memory.memfd = true;
  memory.runs = {{0, 1, 12288}};
  state.sharedMemory = {memory};
  OpenFile file, event, epoll;
  file.path = "/etc/hosts";
  event.kind = static_cast<uint32_t>(FileKind::Event);
  event.count = 7;
  epoll.kind = static_cast<uint32_t>(FileKind::Epoll);
  epoll.watches = {{7, 1, 0x1122334455667788, 1}};
  state.files = {file, event, epoll};
  state.processes = {seedProcess(3, 1), seedProcess(4, 3)};
  return state;
}

static void appendSeedPages(PageWriter& pages, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i < to; i++) pages.append(std::string(kPageSize, static_cast<char>('a' + i)).data(), kPageSize);
}

// A delta's pages come in two segments.
void writeSeedImage(const std::string& directory, const State& state, const PageBase& base) {
  std::string path = directory + "/pages.bin";
  PageTables tables{base, {}, {}};
  uint64_t first = base.bytes ? kSeedPages / 2 : kSeedPages;
  {
    PageWriter pages(path, base.bytes);
    appendSeedPages(pages, 0, first);
    tables.segments.push_back(pages.segment());
    pages.keep();
  }
  if (base.bytes) {
    PageWriter pages(path, openToAppend(path));
    appendSeedPages(pages, first, kSeedPages);
    tables.segments.push_back(pages.segment());
    pages.keep();
  }
  writeImageFile(directory, state, "{\"name\":\"seed\"}", tables);
}

void writeSeedCompressed(const std::string& directory) {
  PageWriter pages(directory + "/pages.bin");
  pages.append(std::string(kSeedPages * kPageSize, 'a').data(), kSeedPages * kPageSize);
  PageTables tables{{}, {pages.segment()}, {}};
  tables.frames = compressPages(directory, pages.position(), [] { return true; });
  writeImageFile(directory, seedState(), "{}", tables);
}

PageBase writeSeedDelta(const std::string& directory) {
  TemporaryDirectory first;
  writeSeedImage(first.path());
  PageBase base = Image(first.path()).baseForDelta();
  base.name = "first";
  std::filesystem::create_hard_link(first.path() + "/pages.bin", directory + "/base.bin");
  State state = seedState();
  // The first run stays in the base; what else there is stands in pages.bin.
  for (PageRun* run : {&state.processes[0].runs[1], &state.processes[1].runs[1], &state.sharedMemory[0].runs[0]}) run->position += base.bytes;
  writeSeedImage(directory, state, base);
  return base;
}

std::string pagesRefusal(const std::string& directory) {
  try {
    Image(directory).verifyPages();
    return "";
  } catch (const Error& error) {
    if (error.code() != "image-invalid") throw;
    return error.what();
  }
}

void overwrite(const std::string& path, const std::string& bytes) {
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); });
  writeAll(fd.get(), bytes.data(), bytes.size(), "write " + path);
  sys("cut " + path, [&] { return ::ftruncate(fd.get(), static_cast<off_t>(bytes.size())); });
}

TemporaryDirectory::TemporaryDirectory() {
  const char* parent = std::getenv("TMPDIR");
  path_ = std::string(parent ? parent : "/tmp") + "/appshot-core-test-XXXXXX";
  if (!::mkdtemp(path_.data())) throwErrno("make a temporary directory", errno);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace appshot
