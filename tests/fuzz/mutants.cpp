// mutants.cpp: changes to bytes, a pool that mutants may join, and the file that is left of a crash.
#include "mutants.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

/// What libFuzzer calls by the same name, of targets that have one; null for others.
extern "C" std::size_t __attribute__((weak))
LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed);

namespace halfstep::fuzz {
namespace {

constexpr std::size_t kMaxBytes = 20000;  ///< As tools/dev/fuzz.sh.
constexpr unsigned kMaxSeconds = 60;      ///< Of one input.

std::mt19937& generator() {
  static std::mt19937 rng;
  return rng;
}
std::size_t draw(std::size_t bound) { return bound == 0 ? 0 : generator()() % bound; }

/// One change: bits, numbers that lie at limits, parts that are cut out, put in or copied.
void change_bytes(Bytes& bytes, std::size_t max_size) {
  constexpr std::array<std::uint8_t, 8> kEdges{0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '0'};
  const std::size_t at = draw(bytes.size() + 1);
  const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t behind = bytes.size() - at;
  switch (draw(6)) {
    case 0:
      if (behind > 0) *place = static_cast<std::uint8_t>(*place ^ (1U << draw(8)));
      break;
    case 1:
      if (behind > 0) *place = kEdges[draw(kEdges.size())];
      break;
    case 2:
      bytes.erase(place, place + static_cast<std::ptrdiff_t>(draw(std::min<std::size_t>(behind, 16) + 1)));
      break;
    case 3:
      bytes.insert(place, 1 + draw(8), kEdges[draw(kEdges.size())]);
      break;
    case 4: {  // Four bytes as a number.
      const std::uint32_t number = std::array<std::uint32_t, 4>{0, 0x7fffffff, 0xffffffff, 0x00010000}[draw(4)];
      for (std::size_t i = 0; i < std::min<std::size_t>(behind, 4); ++i) {
        place[static_cast<std::ptrdiff_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
      }
      break;
    }
    default: {
      const std::size_t from = draw(bytes.size());
      const std::size_t count = std::min(bytes.size() - from, 1 + draw(64));
      const Bytes part(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                       bytes.begin() + static_cast<std::ptrdiff_t>(from + count));
      bytes.insert(place, part.begin(), part.end());
    }
  }
  if (bytes.size() > max_size) bytes.resize(max_size);
}

void change(Bytes& bytes) {
  if (LLVMFuzzerCustomMutator == nullptr) return change_bytes(bytes, kMaxBytes);
  const std::size_t size = bytes.size();
  bytes.resize(kMaxBytes);
  bytes.resize(LLVMFuzzerCustomMutator(bytes.data(), size, kMaxBytes, generator()()));
}

/// A file that always holds the input that runs.
class LastInput {
 public:
  explicit LastInput(std::filesystem::path path)
      : path_(std::move(path)), file_(open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (file_ >= 0) return;
    std::perror(path_.c_str());
    std::exit(2);
  }
  ~LastInput() {
    close(file_);
    std::filesystem::remove(path_);
  }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;

  void set(const Bytes& bytes) const {
    const bool done = ftruncate(file_, 0) == 0 && pwrite(file_, bytes.data(), bytes.size(), 0) >= 0;
    if (!done) std::perror(path_.c_str());
  }

 private:
  std::filesystem::path path_;
  int file_;
};

}  // namespace

std::size_t run_mutants(const std::vector<Bytes>& seeds, const MutantRuns& runs,
                        const std::function<void(const Bytes&)>& run) {
  std::vector<Bytes> pool;
  std::ranges::copy_if(seeds, std::back_inserter(pool), [](const Bytes& seed) { return seed.size() <= kMaxBytes; });
  if (pool.empty()) return 0;
  const std::size_t num_seeds = pool.size();
  generator().seed(runs.seed);
  const LastInput last(runs.last);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(runs.seconds);
  std::size_t count = 0;
  for (; std::chrono::steady_clock::now() < end; ++count) {
    Bytes mutant = pool[draw(pool.size())];
    for (std::size_t changes = 1 + draw(3); changes > 0; --changes) change(mutant);
    mutant.shrink_to_fit();
    last.set(mutant);
    alarm(kMaxSeconds);
    run(mutant);
    alarm(0);
    // Changes add up over generations; which ones lead further is not known.
    if (draw(16) > 0) continue;
    if (pool.size() < 2 * num_seeds) {
      pool.push_back(std::move(mutant));
    } else {
      pool[num_seeds + draw(num_seeds)] = std::move(mutant);
    }
  }
  return count;
}

}  // namespace halfstep::fuzz

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size) {
  halfstep::fuzz::Bytes bytes(data, data + size);
  halfstep::fuzz::change_bytes(bytes, max_size);
  std::ranges::copy(bytes, data);
  return bytes.size();
}
