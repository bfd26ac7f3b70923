#include "core/image/verified_files.h"

#include <sys/stat.h>

#include <map>
#include <mutex>

#include "core/sys/sys.h"

namespace appshot {

namespace {

using FileId = std::pair<dev_t, ino_t>;

struct Known {
  off_t size = 0;
  int64_t seconds = 0, nanos = 0;
  VerifiedRanges ranges;
  bool isOf(const struct stat& status) const { return size == status.st_size && seconds == status.st_mtim.tv_sec && nanos == status.st_mtim.tv_nsec; }
};

std::mutex mutex;
std::map<FileId, Known> known;

struct stat statusOf(int fd) {
  struct stat status {};
  sys("stat pages of an image", [&] { return ::fstat(fd, &status); });
  return status;
}

}  // namespace

VerifiedRanges verifiedRanges(int fd) {
  struct stat status = statusOf(fd);
  std::lock_guard lock(mutex);
  auto found = known.find({status.st_dev, status.st_ino});
  return found != known.end() && found->second.isOf(status) ? found->second.ranges : VerifiedRanges{};
}

void setVerified(int fd, VerifiedRanges ranges) {
  struct stat status = statusOf(fd);
  std::lock_guard lock(mutex);
  if (known.size() > 4096) known.clear();
  known[{status.st_dev, status.st_ino}] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, std::move(ranges)};
}

void addVerified(int fd, std::pair<uint64_t, uint64_t> range) {
  VerifiedRanges ranges = verifiedRanges(fd);
  ranges.insert(range);
  setVerified(fd, std::move(ranges));
}

}  // namespace appshot
