#include "core/image/environment.h"

#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#include "core/image/crc32c.h"
#include "core/sys/error.h"
#include "core/sys/proc.h"

namespace appshot {

static uint64_t enabledFeatures() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

static std::string cpuName() {
  uint32_t vendor[3], eax, ebx, ecx, edx;
  __cpuid(0, eax, vendor[0], vendor[2], vendor[1]);
  __cpuid(1, eax, ebx, ecx, edx);
  return std::string(reinterpret_cast<char*>(vendor), 12) + " " + std::to_string(eax & 0x0fff3ff0);
}

static uint64_t hashOfVdso() {
  for (const MapLine& line : readMaps("self"))
    if (line.path == "[vdso]") return crc32c(reinterpret_cast<const void*>(line.start), line.end - line.start);
  return 0;
}

Environment readEnvironment() {
  utsname name{};
  ::uname(&name);
  Environment environment;
  environment.kernel = name.release;
  environment.xfeatures = enabledFeatures();
  uint32_t eax, ebx, ecx, edx;
  __cpuid_count(0xd, 0, eax, ebx, ecx, edx);
  environment.xsaveSize = ebx;
  environment.cpu = cpuName();
  environment.vdsoHash = hashOfVdso();
  return environment;
}

void checkEnvironment(const Environment& image) {
  static const Environment here = readEnvironment();
  auto differ = [](const std::string& what, const std::string& then, const std::string& now) {
    throw Error("environment-mismatch", what + " differs: the image was made with " + then + ", this machine has " + now);
  };
  if (image.kernel != here.kernel) differ("the kernel", image.kernel, here.kernel);
  if (image.vdsoHash != here.vdsoHash) differ("the kernel's vdso", std::to_string(image.vdsoHash), std::to_string(here.vdsoHash));
  if (image.xsaveSize != here.xsaveSize) differ("the size of the CPU's register area", std::to_string(image.xsaveSize), std::to_string(here.xsaveSize));
  if (image.xfeatures & ~here.xfeatures) differ("the set of CPU register features", std::to_string(image.xfeatures), std::to_string(here.xfeatures));
  if (image.cpu != here.cpu) differ("the CPU", image.cpu, here.cpu);
}

}  // namespace appshot
