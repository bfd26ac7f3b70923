// Would a program's own seccomp filter stop the restorer? Its last calls are made when the filters are in place again.
#pragma once

#include <string>
#include <vector>

#include "core/image/model.h"

namespace appshot {

// What a classic BPF program answers to a system call, as the kernel runs it: a SECCOMP_RET_* value.
// `program`: struct sock_filter[]. Broken programs answer SECCOMP_RET_KILL_PROCESS.
uint32_t runFilter(const std::string& program, int number, const std::vector<uint64_t>& arguments);

// Throws Error `unsupported-state` that names the thread and the call which its filters do not let through. `files`: of the image.
void tryFilters(const Process& process, const std::vector<OpenFile>& files);

}  // namespace appshot
