/*
 * Python keeps the state of `random` in its own heap, and a copy of the environment in os.environ. Its interpreter runs calls that
 * were left for it in its first thread, before the next line of the program: a way in that is meant for signal handlers.
 */
#include "configurator/parts.h"

static const char kScript[] =
    "def _appshot():\n"
    "  import sys\n"
    "  m = sys.modules\n"
    "  if 'random' in m: m['random'].seed()\n"
    "  if 'numpy.random' in m: m['numpy.random'].seed()\n"
    "  if 'os' in m:\n"
    "    try: text = open('" APPSHOT_VARIABLES "', 'rb').read()\n"
    "    except OSError: text = b''\n"
    "    for entry in text.split(b'\\0'):\n"
    "      name, equals, value = entry.partition(b'=')\n"
    "      if equals: m['os'].environb[name] = value\n"
    "try: _appshot()\n"
    "except Exception: pass\n"
    "del _appshot\n";

static int runScript(void* run) {
  ((int (*)(const char*))run)(kScript);
  return 0;
}

int renewPython(void) {
  int (*isThere)(void) = (int (*)(void))findFunction("Py_IsInitialized");
  int (*addCall)(int (*)(void*), void*) = (int (*)(int (*)(void*), void*))findFunction("Py_AddPendingCall");
  void* run = findFunction("PyRun_SimpleString");
  if (!isThere || !addCall || !run || !isThere()) return 0;
  return addCall(runScript, run) ? -1 : 0;
}
