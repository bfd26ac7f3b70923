#include "core/image/compressed_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "core/image/page_file.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// The quickest of zstd's usual levels: memory of programs shrinks to a third with it, and little more with others.
constexpr int kLevel = 1;

void readWhole(int fd, std::string& to, uint64_t at, const std::string& path) {
  ssize_t n = sys("read " + path, [&] { return ::pread(fd, to.data(), to.size(), static_cast<off_t>(at)); });
  if (static_cast<size_t>(n) != to.size()) throw Error("image-invalid", path + " ends in the middle");
}

UniqueFd unnamedFile(const std::string& directory) {
  // Exclusive: nobody can give it a name, so it can be no delta's base.
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (fd.valid()) return fd;
  return sysFd("make a file for decompressed pages", [] { return ::memfd_create("appshot-pages", MFD_CLOEXEC); });
}

}  // namespace

std::vector<uint64_t> compressPages(const std::string& directory, uint64_t bytes, const std::function<bool()>& goOn) {
  std::string from = directory + "/pages.bin", to = directory + "/pages.zst";
  UniqueFd pages = sysFd("open " + from, [&] { return ::open(from.c_str(), O_RDONLY | O_CLOEXEC); });
  UniqueFd small = sysFd("create " + to, [&] { return ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  std::string chunk, frame(ZSTD_compressBound(kChunkBytes), '\0');
  std::vector<uint64_t> frames;
  for (uint64_t at = 0; at < bytes; at += kChunkBytes) {
    if (!goOn()) return {};
    chunk.resize(std::min(kChunkBytes, bytes - at));
    readWhole(pages.get(), chunk, at, from);
    size_t size = ZSTD_compressCCtx(context.get(), frame.data(), frame.size(), chunk.data(), chunk.size(), kLevel);
    if (ZSTD_isError(size)) throw Error("internal", "compress pages: " + std::string(ZSTD_getErrorName(size)));
    writeAll(small.get(), frame.data(), size, "write " + to);
    frames.push_back(size);
  }
  sys("remove " + from, [&] { return ::unlink(from.c_str()); });
  return frames;
}

UniqueFd decompressPages(const std::string& directory, uint64_t bytes, const std::vector<uint64_t>& frames) {
  std::string path = directory + "/pages.zst";
  UniqueFd small(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!small.valid()) throw Error("image-invalid", path + " is missing");
  struct stat status {};
  sys("stat " + path, [&] { return ::fstat(small.get(), &status); });
  UniqueFd pages = unnamedFile(directory);
  std::string frame, chunk(kChunkBytes, '\0');
  uint64_t from = 0;
  for (size_t i = 0; i < frames.size(); i++) {
    std::string place = path + " at byte " + std::to_string(from) + ": chunk " + std::to_string(i);
    if (frames[i] > ZSTD_compressBound(kChunkBytes)) throw Error("image-invalid", place + " is too large");
    frame.resize(frames[i]);
    readWhole(small.get(), frame, from, path);
    uint64_t wanted = std::min(kChunkBytes, bytes - i * kChunkBytes);
    size_t size = ZSTD_decompress(chunk.data(), wanted, frame.data(), frame.size());
    if (ZSTD_isError(size)) throw Error("image-invalid", place + " cannot be decompressed: " + ZSTD_getErrorName(size));
    if (size != wanted) throw Error("image-invalid", place + " has another size than the image says");
    writeAll(pages.get(), chunk.data(), size, "write decompressed pages");
    from += frames[i];
  }
  if (from != static_cast<uint64_t>(status.st_size)) throw Error("image-invalid", path + ": there is something behind the last chunk");
  return pages;
}

}  // namespace appshot
