#include "core/fill/working_set.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/image/crc32c.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr char kMagic[8] = {'A', 'P', 'P', 'W', 'S', 'E', 'T', '1'};
constexpr size_t kHeaderBytes = sizeof kMagic + sizeof(uint32_t);
// 64 MiB: beyond that everything is as good.
constexpr uint64_t kMaxPages = 16384;

std::string path(const std::string& imageDir) { return imageDir + "/working-set.bin"; }

std::vector<WorkingSetRun> joined(std::vector<WorkingSetRun> runs) {
  std::sort(runs.begin(), runs.end(), [](const WorkingSetRun& a, const WorkingSetRun& b) { return a.pid != b.pid ? a.pid < b.pid : a.address < b.address; });
  std::vector<WorkingSetRun> out;
  for (const WorkingSetRun& run : runs) {
    if (!out.empty() && out.back().pid == run.pid && run.address <= out.back().address + out.back().pages * 4096) {
      uint64_t end = std::max(out.back().address + out.back().pages * 4096, run.address + run.pages * 4096);
      out.back().pages = (end - out.back().address) / 4096;
    } else {
      out.push_back(run);
    }
  }
  return out;
}

void write(const std::string& imageDir, const std::vector<WorkingSetRun>& runs) {
  std::string bytes(kMagic, sizeof kMagic);
  size_t count = runs.size() * sizeof(WorkingSetRun);
  uint32_t sum = crc32c(runs.data(), count);
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  bytes.append(reinterpret_cast<const char*>(runs.data()), count);
  std::string beside = path(imageDir) + ".new";
  UniqueFd fd = sysFd("create " + beside, [&] { return ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); });
  writeAll(fd.get(), bytes.data(), bytes.size(), "write " + beside);
  sys("rename " + beside, [&] { return ::rename(beside.c_str(), path(imageDir).c_str()); });
}

}  // namespace

std::vector<WorkingSetRun> readWorkingSet(const std::string& imageDir) {
  std::string bytes = readFileIfThere(path(imageDir));
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) return {};
  uint32_t sum;
  std::memcpy(&sum, bytes.data() + sizeof kMagic, sizeof sum);
  size_t count = bytes.size() - kHeaderBytes;
  if (count % sizeof(WorkingSetRun) != 0 || crc32c(bytes.data() + kHeaderBytes, count) != sum) return {};
  std::vector<WorkingSetRun> runs(count / sizeof(WorkingSetRun));
  if (count > 0) std::memcpy(runs.data(), bytes.data() + kHeaderBytes, count);
  return runs;
}

void addToWorkingSet(const std::string& imageDir, std::vector<WorkingSetRun> runs) {
  try {
    std::vector<WorkingSetRun> before = readWorkingSet(imageDir);
    runs.insert(runs.end(), before.begin(), before.end());
    runs = joined(std::move(runs));
    uint64_t pages = 0;
    for (const WorkingSetRun& run : runs) pages += run.pages;
    if (pages <= kMaxPages) write(imageDir, runs);
  } catch (const Error&) {
    // A hint less.
  }
}

void copyWorkingSet(const std::string& fromImageDir, const std::string& toImageDir) {
  std::vector<WorkingSetRun> runs = readWorkingSet(fromImageDir);
  if (!runs.empty()) addToWorkingSet(toImageDir, runs);
}

}  // namespace appshot
