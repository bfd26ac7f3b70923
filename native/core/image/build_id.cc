#include "core/image/build_id.h"

#include <elf.h>
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

namespace {

// Far more than any linker makes.
constexpr size_t kMostHeaders = 512, kMostNoteBytes = 1 << 16;

bool readAt(int fd, void* to, size_t bytes, uint64_t offset) {
  return ::pread(fd, to, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

size_t padded(size_t bytes) { return (bytes + 3) / 4 * 4; }

std::string inHex(const uint8_t* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; i++) text += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  return text;
}

std::string idAmong(const std::vector<uint8_t>& notes) {
  for (size_t at = 0; notes.size() - at >= sizeof(Elf64_Nhdr);) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data() + at, sizeof note);
    at += sizeof note;
    size_t left = notes.size() - at, name = padded(note.n_namesz), all = name + padded(note.n_descsz);
    if (note.n_namesz > left || note.n_descsz > left || all > left) return "";
    bool isId = note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes.data() + at, "GNU", 4) == 0;
    if (isId) return inHex(notes.data() + at + name, note.n_descsz);
    at += all;
  }
  return "";
}

}  // namespace

std::string buildIdOf(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  Elf64_Ehdr header;
  if (!fd.valid() || !readAt(fd.get(), &header, sizeof header, 0)) return "";
  bool isElf = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64;
  if (!isElf || header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostHeaders) return "";
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!readAt(fd.get(), segments.data(), segments.size() * sizeof(Elf64_Phdr), header.e_phoff)) return "";
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE || segment.p_filesz > kMostNoteBytes) continue;
    std::vector<uint8_t> notes(segment.p_filesz);
    if (!readAt(fd.get(), notes.data(), notes.size(), segment.p_offset)) continue;
    std::string id = idAmong(notes);
    if (!id.empty()) return id;
  }
  return "";
}

}  // namespace appshot
