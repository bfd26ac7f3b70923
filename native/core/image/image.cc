#include "core/image/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <set>

#include "core/image/check_file.h"
#include "core/image/codec.h"
#include "core/image/compressed_pages.h"
#include "core/image/crc32c.h"
#include "core/image/template_records.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr char kMagic[8] = {'A', 'P', 'P', 'S', 'H', 'O', 'T', '\n'};

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
};

enum RecordType : uint32_t { kEnd = 0, kMeta = 1, kCommon = 2, kProcess = 3, kPages = 4, kBase = 5, kCompressed = 6 };

struct RecordHeader {
  uint32_t type;
  uint32_t nameBytes;
  uint64_t size;
  uint32_t sum;        // of name and data
  uint32_t headerSum;  // of the fields above
};
static_assert(sizeof(RecordHeader) == 24);

uint32_t headerSum(const RecordHeader& header) { return crc32c(&header, offsetof(RecordHeader, headerSum)); }

void appendRecord(std::string& to, RecordType type, const std::string& name, const std::string& content) {
  RecordHeader header{type, static_cast<uint32_t>(name.size()), content.size(), crc32c(content.data(), content.size(), crc32c(name.data(), name.size())), 0};
  header.headerSum = headerSum(header);
  to.append(reinterpret_cast<const char*>(&header), sizeof header);
  to += name;
  to += content;
  to.append((8 - to.size() % 8) % 8, '\0');
}

[[noreturn]] void invalid(const std::string& what) { throw Error("image-invalid", what); }

std::string asBytes(const std::vector<uint32_t>& numbers) {
  return std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(uint32_t));
}

std::vector<uint32_t> asNumbers(std::string_view bytes, const std::string& place) {
  if (bytes.size() % sizeof(uint32_t)) invalid(place + ": broken table of checksums");
  std::vector<uint32_t> numbers(bytes.size() / sizeof(uint32_t));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

// Size of the base, then its checksums.
std::string encodeBase(const PageBase& base) {
  return std::string(reinterpret_cast<const char*>(&base.bytes), sizeof base.bytes) + asBytes(base.sums);
}

PageBase decodeBase(const std::string& name, std::string_view content, const std::string& place) {
  PageBase base;
  base.name = name;
  if (content.size() < sizeof base.bytes) invalid(place + ": the record of the base is broken");
  std::memcpy(&base.bytes, content.data(), sizeof base.bytes);
  base.sums = asNumbers(content.substr(sizeof base.bytes), place);
  if (base.bytes == 0 || base.bytes % kPageSize) invalid(place + ": the record of the base is broken");
  return base;
}

uint64_t sizeOf(int fd) {
  struct stat status{};
  sys("stat pages of an image", [&] { return ::fstat(fd, &status); });
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace

void writeImageFile(const std::string& directory, const State& state, const std::string& meta, PageWriter& pages, const PageBase& base,
                    const std::vector<uint64_t>& frames) {
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kImageVersion;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  appendRecord(bytes, kMeta, "meta", meta);
  appendRecord(bytes, kCommon, "common", encodeCommon(state));
  for (const Process& process : state.processes) appendRecord(bytes, kProcess, std::to_string(process.pid), encodeProcess(process));
  for (const Rule& rule : state.rules) appendRecord(bytes, static_cast<RecordType>(kRuleRecord), rule.subject, encodeRule(rule));
  for (const ClassifiedResource& resource : state.resources)
    appendRecord(bytes, static_cast<RecordType>(kResourceRecord), resource.identity, encodeResource(resource));
  if (base.bytes) appendRecord(bytes, kBase, base.name, encodeBase(base));
  appendRecord(bytes, kPages, std::to_string(pages.position()), asBytes(pages.chunkSums()));
  if (!frames.empty())
    appendRecord(bytes, kCompressed, "zstd", std::string(reinterpret_cast<const char*>(frames.data()), frames.size() * sizeof frames[0]));
  appendRecord(bytes, kEnd, "", "");
  std::string path = directory + "/image.bin";
  UniqueFd fd = sysFd("create " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
  writeAll(fd.get(), bytes.data(), bytes.size(), "write " + path);
}

void syncImage(const std::string& directory) {
  bool isSmall = ::access((directory + "/pages.zst").c_str(), F_OK) == 0;
  for (const std::string& path : {directory + (isSmall ? "/pages.zst" : "/pages.bin"), directory + "/image.bin", directory}) {
    UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    sys("sync " + path, [&] { return ::fsync(fd.get()); });
  }
}

Image::Image(const std::string& directory) : directory_(directory) {
  std::string bytes;
  try {
    bytes = readFile(directory + "/image.bin");
  } catch (const Error& error) {
    if (error.err() == ENOENT || error.err() == ENOTDIR) throw Error("not-found", "there is no image at " + directory, error.err());
    throw;
  }
  readRecords(bytes);
  openPages();
  uint64_t there = sizeOf(pages_.get());
  if (there != pageBytes_)
    invalid(directory + "/pages.bin has " + std::to_string(there) + " bytes where the image says " + std::to_string(pageBytes_));
  if (base_.bytes) openBase();
  validate();
}

void Image::openPages() {
  if (frames_.empty()) {
    std::string path = directory_ + "/pages.bin";
    pages_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!pages_.valid()) invalid(path + " is missing");
    return;
  }
  if (base_.bytes) invalid(directory_ + "/image.bin: compressed pages and a base exclude each other");
  if (frames_.size() != chunkSums_.size() || chunkSums_.size() != (pageBytes_ + kChunkBytes - 1) / kChunkBytes)
    invalid(directory_ + "/image.bin: the number of compressed chunks is wrong");
  pages_ = decompressPages(directory_, pageBytes_, frames_);
}

void Image::openBase() {
  std::string path = directory_ + "/base.bin", from = " (the pages first saved with image '" + base_.name + "')";
  basePages_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!basePages_.valid()) invalid(path + from + " is missing");
  uint64_t there = sizeOf(basePages_.get());
  if (there != base_.bytes) invalid(path + from + " has " + std::to_string(there) + " bytes where the image says " + std::to_string(base_.bytes));
}

PageBase Image::baseForDelta() const {
  if (base_.bytes) return base_;
  return {directory_.substr(directory_.rfind('/') + 1), pageBytes_, chunkSums_};
}

void Image::readRecords(const std::string& bytes) {
  std::string path = directory_ + "/image.bin";
  FileHeader header{};
  if (bytes.size() < sizeof header || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) invalid(path + " is not an AppShot image");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kImageVersion)
    invalid(path + " has format version " + std::to_string(header.version) + "; this engine reads version " + std::to_string(kImageVersion));
  if (header.reserved != 0) invalid(path + ": the header is broken");
  bool haveCommon = false, havePages = false;
  std::vector<Process> processes;
  std::vector<Rule> rules;
  std::vector<ClassifiedResource> resources;
  for (size_t at = sizeof header;;) {
    std::string place = path + " at byte " + std::to_string(at);
    RecordHeader record{};
    if (bytes.size() - at < sizeof record) invalid(place + ": the file ends in the middle");
    std::memcpy(&record, bytes.data() + at, sizeof record);
    if (record.headerSum != headerSum(record)) invalid(place + ": the checksum of a record's header is wrong");
    size_t left = bytes.size() - at - sizeof record;
    if (record.nameBytes > left || record.size > left - record.nameBytes) invalid(place + ": the file ends in the middle of a record");
    std::string name = bytes.substr(at + sizeof record, record.nameBytes);
    std::string content = bytes.substr(at + sizeof record + record.nameBytes, record.size);
    if (record.sum != crc32c(content.data(), content.size(), crc32c(name.data(), name.size())))
      invalid(place + ": the checksum of record '" + name + "' is wrong");
    size_t end = at + sizeof record + record.nameBytes + record.size, next = (end + 7) / 8 * 8;
    if (next > bytes.size()) invalid(path + ": the file ends in the middle");
    if (std::any_of(bytes.begin() + static_cast<ptrdiff_t>(end), bytes.begin() + static_cast<ptrdiff_t>(next), [](char byte) { return byte != 0; }))
      invalid(place + ": there is something behind record '" + name + "'");
    if (record.type == kEnd) {
      if (next != bytes.size()) invalid(place + ": there is something behind the end");
      break;
    }
    if (record.type == kMeta) {
      meta_ = std::move(content);
    } else if (record.type == kCommon) {
      state_ = decodeCommon(content);
      haveCommon = true;
    } else if (record.type == kProcess) {
      processes.push_back(decodeProcess(content));
    } else if (record.type == kRuleRecord) {
      rules.push_back(decodeRule(content));
    } else if (record.type == kResourceRecord) {
      resources.push_back(decodeResource(name, content));
    } else if (record.type == kPages) {
      chunkSums_ = asNumbers(content, place);
      pageBytes_ = std::strtoull(name.c_str(), nullptr, 10);
      havePages = true;
    } else if (record.type == kCompressed) {
      if (name != "zstd") invalid(place + ": compression '" + name + "' is not known");
      if (content.empty() || content.size() % sizeof frames_[0]) invalid(place + ": broken table of compressed chunks");
      frames_.resize(content.size() / sizeof frames_[0]);
      std::memcpy(frames_.data(), content.data(), content.size());
    } else if (record.type == kBase) {
      base_ = decodeBase(name, content, place);
    } else {
      invalid(place + ": record type " + std::to_string(record.type) + " is not known");
    }
    at = next;
  }
  if (!haveCommon || !havePages || processes.empty()) invalid(path + " lacks a record");
  state_.processes = std::move(processes);
  state_.rules = std::move(rules);
  state_.resources = std::move(resources);
}

void Image::validate() const {
  auto require = [&](bool condition, const char* what) {
    if (!condition) invalid(directory_ + "/image.bin: " + what);
  };
  constexpr uint64_t kTop = 0x7ffffffff000;
  require(base_.bytes <= pageBytes_, "the base is larger than all pages");
  require(chunkSums_.size() == (pageBytes_ - base_.bytes + kChunkBytes - 1) / kChunkBytes, "the number of page checksums is wrong");
  require(base_.sums.size() == (base_.bytes + kChunkBytes - 1) / kChunkBytes, "the number of the base's page checksums is wrong");
  auto checkRuns = [&](const std::vector<PageRun>& runs, uint64_t limit) {
    for (const PageRun& run : runs) {
      require(run.address % kPageSize == 0 && run.position % kPageSize == 0, "a page run is not aligned");
      require(run.pages <= limit / kPageSize && run.address <= limit - run.pages * kPageSize, "a page run is out of range");
      require(run.pages <= pageBytes_ / kPageSize && run.position <= pageBytes_ - run.pages * kPageSize, "a page run is outside of pages.bin");
      require(run.position >= base_.bytes || run.position + run.pages * kPageSize <= base_.bytes, "a page run lies across the end of the base");
    }
  };
  std::set<int32_t> pids;
  for (const Process& process : state_.processes) {
    require(process.pid > 1 && pids.insert(process.pid).second, "two processes have the same pid");
    require(process.ppid <= 1 || pids.count(process.ppid), "a process stands before its parent");
    require(process.zombie || !process.threads.empty(), "a process has no thread");
    uint64_t last = 0;
    for (const Vma& vma : process.vmas) {
      require(vma.start % kPageSize == 0 && vma.end % kPageSize == 0 && vma.start >= last && vma.start < vma.end && vma.end <= kTop, "a memory range is broken");
      auto kind = static_cast<VmaKind>(vma.kind);
      require(vma.kind <= static_cast<uint32_t>(VmaKind::SysV), "a memory range is of unknown kind");
      if (kind == VmaKind::FilePrivate || kind == VmaKind::FileShared) require(vma.object < state_.mappedFiles.size(), "a mapped file is missing");
      if (kind == VmaKind::Shared) require(vma.object < state_.sharedMemory.size(), "shared memory is missing");
      last = vma.end;
    }
    checkRuns(process.runs, kTop);
    for (const Descriptor& descriptor : process.descriptors)
      require(descriptor.fd >= 0 && descriptor.fd < (1 << 20) && descriptor.file < state_.files.size(), "a descriptor is broken");
    for (const SemaphoreUndo& undo : process.undos) require(undo.adjustment > -32768 && undo.adjustment < 32768, "what a semaphore takes back is broken");
    require(process.stopSignal == 0 || (process.stopSignal >= SIGSTOP && process.stopSignal <= SIGTTOU && !process.zombie), "what stopped a process is broken");
    require(process.exeGhost < static_cast<int64_t>(state_.ghosts.size()), "a deleted program is missing");
    for (const Thread& thread : process.threads) require(thread.ownFilters.size() == thread.ownFilterFlags.size(), "the seccomp filters of a thread are broken");
    for (const Thread& thread : process.threads) require(thread.registers.size() == 27 * 8 && thread.xstate.size() >= 576, "the registers of a thread are broken");
  }
  for (const MappedFile& file : state_.mappedFiles) require(!file.deleted || file.ghost < state_.ghosts.size(), "a deleted file is missing");
  for (const SharedMemory& memory : state_.sharedMemory) checkRuns(memory.runs, memory.size + kPageSize);
  for (const IpcObject& object : state_.ipc) {
    require(object.kind <= static_cast<uint32_t>(IpcKind::PosixQueue) && object.id >= 0, "a System V object is broken");
    if (object.kind == static_cast<uint32_t>(IpcKind::SharedMemory)) checkRuns(object.runs, (object.size + kPageSize - 1) / kPageSize * kPageSize);
  }
  for (const OpenFile& file : state_.files) {
    const char* broken = brokenPartOf(file, state_);
    require(broken == nullptr, broken ? broken : "");
  }
}

void Image::verifyPages() const {
  if (base_.bytes) verifyChunks(basePages_.get(), {0, base_.bytes}, base_.sums, directory_ + "/base.bin (the pages first saved with image '" + base_.name + "')");
  verifyChunks(pages_.get(), {base_.bytes, pageBytes_}, chunkSums_, directory_ + "/pages.bin");
}

}  // namespace appshot
