#include "core/image/image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/image/check_image.h"
#include "core/image/codec.h"
#include "core/image/compressed_pages.h"
#include "core/image/records.h"
#include "core/image/template_records.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

[[noreturn]] void invalid(const std::string& what) { throw Error("image-invalid", what); }

std::vector<uint32_t> asNumbers(std::string_view bytes, const std::string& place) {
  if (bytes.size() % sizeof(uint32_t)) invalid(place + ": broken table of checksums");
  std::vector<uint32_t> numbers(bytes.size() / sizeof(uint32_t));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

PageBase decodeBase(const std::string& name, std::string_view content, const std::string& place) {
  PageBase base;
  base.name = name;
  constexpr size_t kSizes = sizeof base.bytes + sizeof base.firstBytes;
  if (content.size() < kSizes) invalid(place + ": the record of the base is broken");
  std::memcpy(&base.bytes, content.data(), sizeof base.bytes);
  std::memcpy(&base.firstBytes, content.data() + sizeof base.bytes, sizeof base.firstBytes);
  base.sums = asNumbers(content.substr(kSizes), place);
  if (base.bytes == 0 || base.bytes % kPageSize) invalid(place + ": the record of the base is broken");
  return base;
}

// Its name is FROM-FIRST-TO.
PageSegment decodeSegment(const std::string& name, std::string_view content, const std::string& place) {
  PageSegment segment;
  char* end = nullptr;
  segment.from = std::strtoull(name.c_str(), &end, 10);
  if (*end != '-') invalid(place + ": a segment of pages has no borders");
  segment.firstTo = std::strtoull(end + 1, &end, 10);
  if (*end != '-') invalid(place + ": a segment of pages has no borders");
  segment.to = std::strtoull(end + 1, nullptr, 10);
  segment.sums = asNumbers(content, place);
  return segment;
}

uint64_t sizeOf(int fd) {
  struct stat status{};
  sys("stat pages of an image", [&] { return ::fstat(fd, &status); });
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace

Image::Image(const std::string& directory) : directory_(directory) {
  std::string bytes;
  try {
    bytes = readFile(directory + "/image.bin");
  } catch (const Error& error) {
    if (error.err() == ENOENT || error.err() == ENOTDIR) throw Error("not-found", "there is no image at " + directory, error.err());
    throw;
  }
  readRecords(bytes);
  checkImage(state_, tables_, directory + "/image.bin");
  openPages();
  uint64_t there = sizeOf(pages_.get());
  // Other images may have appended to the pages of a delta.
  if (tables_.base.bytes ? there < pageBytes() : there != pageBytes())
    invalid(directory + "/pages.bin has " + std::to_string(there) + " bytes where the image says " + std::to_string(pageBytes()));
  if (tables_.base.bytes) openBase();
}

void Image::openPages() {
  if (tables_.frames.empty()) {
    std::string path = directory_ + "/pages.bin";
    pages_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!pages_.valid()) invalid(path + " is missing");
    return;
  }
  if (tables_.base.bytes) invalid(directory_ + "/image.bin: compressed pages and a base exclude each other");
  if (tables_.segments.size() != 1 || tables_.frames.size() != tables_.segments[0].sums.size())
    invalid(directory_ + "/image.bin: the number of compressed chunks is wrong");
  pages_ = decompressPages(directory_, pageBytes(), tables_.frames);
}

void Image::openBase() {
  std::string path = directory_ + "/base.bin", from = " (the pages first saved with image '" + tables_.base.name + "')";
  basePages_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!basePages_.valid()) invalid(path + from + " is missing");
  uint64_t there = sizeOf(basePages_.get());
  if (there != tables_.base.bytes) invalid(path + from + " has " + std::to_string(there) + " bytes where the image says " + std::to_string(tables_.base.bytes));
}

PageBase Image::baseForDelta() const {
  if (tables_.base.bytes) return tables_.base;
  PageBase base;
  base.name = directory_.substr(directory_.rfind('/') + 1);
  if (!tables_.segments.empty()) base = {base.name, pageBytes(), tables_.segments[0].firstTo, tables_.segments[0].sums};
  return base;
}

void Image::readRecords(const std::string& bytes) {
  std::string path = directory_ + "/image.bin";
  FileHeader header{};
  if (bytes.size() < sizeof header || std::memcmp(bytes.data(), kImageMagic, sizeof kImageMagic) != 0) invalid(path + " is not an AppShot image");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kImageVersion)
    invalid(path + " has format version " + std::to_string(header.version) + "; this engine reads version " + std::to_string(kImageVersion));
  if (header.reserved != 0) invalid(path + ": the header is broken");
  bool haveCommon = false;
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
      tables_.segments.push_back(decodeSegment(name, content, place));
    } else if (record.type == kCompressed) {
      if (name != "zstd") invalid(place + ": compression '" + name + "' is not known");
      if (content.empty() || content.size() % sizeof(uint64_t)) invalid(place + ": broken table of compressed chunks");
      tables_.frames.resize(content.size() / sizeof(uint64_t));
      std::memcpy(tables_.frames.data(), content.data(), content.size());
    } else if (record.type == kBase) {
      tables_.base = decodeBase(name, content, place);
    } else {
      invalid(place + ": record type " + std::to_string(record.type) + " is not known");
    }
    at = next;
  }
  if (!haveCommon || processes.empty()) invalid(path + " lacks a record");
  state_.processes = std::move(processes);
  state_.rules = std::move(rules);
  state_.resources = std::move(resources);
}

void Image::verifyPages() const {
  const PageBase& base = tables_.base;
  if (base.bytes) verifySegment(basePages_.get(), {0, base.bytes, base.firstBytes, base.sums}, directory_ + "/base.bin (the pages first saved with image '" + base.name + "')");
  for (const PageSegment& segment : tables_.segments) verifySegment(pages_.get(), segment, directory_ + "/pages.bin");
}

}  // namespace appshot
