// The kernel's states of a TCP connection (include/net/tcp_states.h), as TCP_INFO gives them and an image keeps them.
#pragma once

#include <cstdint>

namespace appshot {

enum TcpState : uint32_t {
  kTcpEstablished = 1, kTcpSynSent = 2, kTcpFinWait1 = 4, kTcpFinWait2 = 5, kTcpClosed = 7, kTcpCloseWait = 8, kTcpLastAck = 9, kTcpListening = 10, kTcpClosing = 11
};

// Our end of stream has been said.
inline bool sendsNoMore(uint32_t state) { return state == kTcpFinWait1 || state == kTcpFinWait2 || state == kTcpClosing || state == kTcpLastAck; }
// The peer's has come.
inline bool peerSendsNoMore(uint32_t state) { return state == kTcpCloseWait || state == kTcpClosing || state == kTcpLastAck; }
// It can be put together again without its peer.
inline bool canBeKept(uint32_t state) { return state == kTcpEstablished || sendsNoMore(state) || peerSendsNoMore(state); }

}  // namespace appshot
