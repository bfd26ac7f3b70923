/* A thread that computes without a pause: general, SSE and AVX registers, MXCSR and the x87 control word, checked all the time. */
#include "victim.h"
#include <fenv.h>
#include <immintrin.h>
#include <pthread.h>
VICTIM(busy_registers)

static _Atomic long rounds;
static _Atomic int wrong;

__attribute__((target("avx2"))) static void spin_wide(void) {
  __m256i kept = _mm256_set_epi64x(0x1111, 0x2222, 0x3333, 0x4444);
  uint64_t a = 0x123456789abcdef0, b = ~a;
  for (;;) {
    __asm__ volatile("" : "+x"(kept), "+r"(a), "+r"(b));
    uint64_t out[4];
    _mm256_storeu_si256((__m256i *)out, kept);
    if (out[0] != 0x4444 || out[3] != 0x1111 || a != 0x123456789abcdef0 || b != ~a) wrong = 1;
    if (fegetround() != FE_UPWARD) wrong = 2;
    if ((_mm_getcsr() & 0x8040) != 0x8040) wrong = 3;
    rounds++;
  }
}

static void *work(void *unused) {
  (void)unused;
  fesetround(FE_UPWARD);
  _mm_setcsr(_mm_getcsr() | 0x8040);  /* flush to zero, denormals are zero */
  spin_wide();
  return NULL;
}

static void setup(void) {
  pthread_t thread;
  if (!__builtin_cpu_supports("avx2")) return;
  if (pthread_create(&thread, NULL, work, NULL)) exit(3);
}

static const char *check(void) {
  if (!__builtin_cpu_supports("avx2")) return NULL;
  long before = rounds;
  for (int i = 0; i < 300 && rounds == before; i++) sleep_ms(10);
  EXPECT(rounds > before);
  EXPECT_EQUAL(wrong, 0);
  return NULL;
}
