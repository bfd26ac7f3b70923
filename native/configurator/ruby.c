/*
 * Ruby's own generator, behind rand and Array#shuffle: told to forget its state it takes new entropy when it is next asked, as it does
 * in a child of fork. The function is part of Ruby's interface (ruby/internal/intern/random.h) and touches nothing but that state.
 */
#include "configurator/parts.h"

void renewRuby(void) {
  void (*reset)(void) = (void (*)(void))findFunction("rb_reset_random_seed");
  void** machine = (void**)findFunction("ruby_current_vm_ptr");
  if (reset && machine && *machine) reset();
}
