#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cstddef>

#include "core/snapshot/filter_trial.h"
#include "core/sys/error.h"

using namespace appshot;

namespace {

std::string program(std::initializer_list<sock_filter> ops) { return {reinterpret_cast<const char*>(std::data(ops)), ops.size() * sizeof(sock_filter)}; }

std::string denies(uint32_t number) {
  return program({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)});
}

}  // namespace

TEST_CASE("filters are run as the kernel runs them") {
  CHECK(runFilter(denies(SYS_open), SYS_open, {}) == (SECCOMP_RET_ERRNO | 1));
  CHECK(runFilter(denies(SYS_open), SYS_read, {}) == SECCOMP_RET_ALLOW);
  // Arithmetic, the scratch memory and the index register: allow when (arg0 & 0xf0) >> 4 == 3.
  std::string worked = program({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
                                BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LD | BPF_IMM, 3), BPF_STMT(BPF_LDX | BPF_MEM, 2),
                                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)});
  CHECK(runFilter(worked, SYS_read, {0x1234}) == SECCOMP_RET_ALLOW);
  CHECK(runFilter(worked, SYS_read, {0x1244}) == SECCOMP_RET_KILL_PROCESS);
  CHECK(runFilter("", SYS_read, {}) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("a filter that would stop the restorer is named") {
  Process process;
  process.pid = 7;
  process.threads.resize(1);
  process.threads[0].comm = "strict";
  process.threads[0].ownFilters = {denies(SYS_ptrace)};
  CHECK_NOTHROW(tryFilters(process, {}));
  process.threads[0].ownFilters.push_back(denies(SYS_munmap));
  CHECK_THROWS_WITH_AS(tryFilters(process, {}), "pid 7 (strict) has a seccomp filter that does not allow munmap, which the restorer needs; not supported", Error);
}
