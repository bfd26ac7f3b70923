// What differs from one wake of an image to the next.
#pragma once

#include <netinet/in.h>

namespace appshot {

// Where an instance comes back under the address that it had: its connections to the outside go on. See ADR 0072.
struct OldAddress {
  in_addr address{};     // 0: it has another one, and they read as reset
  in_addr replaced{};    // what the pod was connected with: it gives this up once the connections are there
  int interface = 0;     // of the pod
  bool isGiven() const { return address.s_addr != 0; }
};

struct WakeOptions {
  OldAddress oldAddress;
  // The programs come back with other variables than they were saved with; these are set first, all memory being there.
  bool tellVariables = false;
};

}  // namespace appshot
