// score_cache.cpp: a file of lines, opened for appending.
#include "pipeline/score_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/errors.hpp"
#include "io/json/sensitivity_results.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {
namespace {

Error file_error(const std::filesystem::path& path, const char* what) {
  return invalid(path.string() + ": " + what + ": " + std::strerror(errno) +
                 "; name another folder with --cache_dir, or give --no_cache");
}

/// A lock that other processes which use the file wait for.
class FileLock {
 public:
  explicit FileLock(int file) : file_(file) { flock(file_, LOCK_EX); }
  ~FileLock() { flock(file_, LOCK_UN); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_;
};

/// Requires: a FileLock; else another process might take half a line for one that was never finished.
Result<void> append(int file, const std::filesystem::path& path, const std::string& line) {
  const ssize_t written = write(file, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return {};
  if (written >= 0) errno = ENOSPC;
  return file_error(path, "cannot write");
}

}  // namespace

ScoreCache::ScoreCache(ScoreCache&& other) noexcept
    : key_(std::move(other.key_)),
      scores_(std::move(other.scores_)),
      path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)) {}

ScoreCache::~ScoreCache() {
  if (file_ >= 0) close(file_);
}

Result<void> ScoreCache::read(const std::filesystem::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text.ok()) return text.error();
  const Result<io::SensitivityResults> results = io::read_results(*text, path.string());
  if (!results.ok()) return results.error();
  if (results->key != key_) {
    return invalid(path.string() + ": was measured with other models, samples or options (its key is " + results->key +
                   ", this run's is " + key_ + ")");
  }
  for (const io::FormScore& line : results->scores) scores_.insert_or_assign(line.form, line.score);
  return {};
}

Result<ScoreCache> ScoreCache::open(const std::optional<std::filesystem::path>& folder,
                                    const std::vector<std::filesystem::path>& more, std::string key,
                                    const std::string& name) {
  ScoreCache cache(std::move(key));
  for (const std::filesystem::path& path : more) {
    if (auto done = cache.read(path); !done.ok()) return done.error();
  }
  if (!folder) return cache;
  std::error_code failed;
  std::filesystem::create_directories(*folder, failed);
  cache.path_ = *folder / (name + "-" + cache.key_ + ".jsonl");
  cache.file_ = ::open(cache.path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (cache.file_ < 0) return file_error(cache.path_, "cannot open the cache");
  // One process at a time looks at the end: a new file gets its header, an unfinished line is cut off.
  const FileLock lock(cache.file_);
  Result<void> ready;
  const Result<std::string> text = read_text(cache.path_);
  if (!text.ok()) {
    ready = text.error();
  } else if (const std::size_t end = text->rfind('\n'); end == std::string::npos) {
    if (ftruncate(cache.file_, 0) != 0) ready = file_error(cache.path_, "cannot write");
    if (ready.ok()) ready = append(cache.file_, cache.path_, io::results_header(cache.key_));
  } else {
    if (end + 1 < text->size() && ftruncate(cache.file_, static_cast<off_t>(end + 1)) != 0)
      ready = file_error(cache.path_, "cannot write");
    if (ready.ok()) ready = cache.read(cache.path_);
  }
  if (!ready.ok()) return ready.error();
  return cache;
}

std::optional<OutputScore> ScoreCache::known(const std::string& form) const {
  const auto at = scores_.find(form);
  return at == scores_.end() ? std::nullopt : std::optional(at->second);
}

Result<void> ScoreCache::add(const std::string& form, const OutputScore& score) {
  scores_.insert_or_assign(form, score);
  if (file_ < 0) return {};
  const FileLock lock(file_);
  return append(file_, path_, io::results_line({form, score}));
}

std::string ScoreCache::text() const {
  std::string text = io::results_header(key_);
  for (const auto& [form, score] : scores_) text += io::results_line({form, score});
  return text;
}

std::optional<std::filesystem::path> default_cache_folder() {
  const auto named = [](const char* variable) -> std::optional<std::filesystem::path> {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0' ? std::optional<std::filesystem::path>(value) : std::nullopt;
  };
  if (const auto folder = named("XDG_CACHE_HOME")) return *folder / "halfstep";
  if (const auto home = named("HOME")) return *home / ".cache" / "halfstep";
  return std::nullopt;
}

}  // namespace halfstep::pipeline
