// spin.hpp: waiting for what other threads do within microseconds.
#pragma once

#include <chrono>

namespace halfstep {

/// How long a wait spins before the thread sleeps. By the clock: how long a pause takes differs tenfold between
/// processors. A thread that sleeps takes about as long to wake.
inline constexpr std::chrono::microseconds kSpinTime{250};

/// One pause of a spinning thread.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `done`; false if that took longer than `time`.
template <class Done>
bool spin_until(const Done& done, std::chrono::steady_clock::duration time = kSpinTime) {
  constexpr int kPausesPerLook = 16;  // At the clock.
  const std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now() + time;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace halfstep
