// input_list.cpp: which files make up each sample, as --input_list says it.
#include "io/samples/input_list.hpp"

#include <optional>
#include <system_error>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/samples/text_lines.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAssign = ":=";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Takes words off the front of a line.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  bool at_end() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return rest_.empty();
  }

  bool at_blank() const { return rest_.empty() || is_blank(rest_.front()); }

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  // A word in quotes, or up to a blank or `stop`.
  Result<std::string> word(std::optional<std::string_view> stop) {
    if (!rest_.empty() && (rest_.front() == '"' || rest_.front() == '\'')) {
      const std::size_t end = rest_.find(rest_.front(), 1);
      if (end == std::string_view::npos) return invalid("a quote is not closed");
      const std::string word(rest_.substr(1, end - 1));
      rest_.remove_prefix(end + 1);
      if (!at_blank() && !(stop && rest_.starts_with(*stop))) {
        return invalid("text follows the closing quote of " + halfstep::quoted(word));
      }
      return word;
    }
    std::size_t end = 0;
    while (end < rest_.size() && !is_blank(rest_[end]) && !(stop && rest_.substr(end).starts_with(*stop))) ++end;
    const std::string word(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return word;
  }

 private:
  std::string_view rest_;
};

// Names of a '#' or '%' line, which has at least one.
Result<void> parse_names(std::string_view line, std::vector<std::string>& names) {
  Words words(line.substr(1));
  if (words.at_end()) return invalid("no output is named after " + halfstep::quoted(line.substr(0, 1)));
  while (!words.at_end()) {
    Result<std::string> name = words.word(std::nullopt);
    if (!name.ok()) return name.error();
    if (name->empty()) return invalid("an output name is empty");
    names.push_back(*std::move(name));
  }
  return {};
}

// Paths are as written; find_file() comes later.
Result<std::vector<SampleFile>> parse_files(std::string_view line) {
  std::vector<SampleFile> files;
  Words words(line);
  while (!words.at_end()) {
    Result<std::string> first = words.word(kAssign);
    if (!first.ok()) return first.error();
    SampleFile file{"", *first};
    if (words.take(kAssign)) {
      if (first->empty()) return invalid("no input is named before ':='");
      Result<std::string> path = words.word(std::nullopt);
      if (!path.ok()) return path.error();
      file = {*std::move(first), *std::move(path)};
    }
    if (file.path.empty()) {
      return invalid(file.input.empty() ? "a file name is empty"
                                        : "input " + halfstep::quoted(file.input) +
                                              ": no file follows ':=' (no blanks are allowed around it)");
    }
    if (!files.empty() && files.front().input.empty() != file.input.empty()) {
      return invalid("some files are given by input name and some are not");
    }
    files.push_back(std::move(file));
  }
  return files;
}

Result<fs::path> find_file(const fs::path& written, const fs::path& folder) {
  const fs::path beside = folder / written;
  std::error_code error;
  if (fs::exists(beside, error)) return beside;
  if (written.is_absolute() || folder.empty()) {
    return invalid("file " + halfstep::quoted(beside.string()) + " does not exist" +
                   (written.is_absolute() ? "" : " (the list lies in the working directory)"));
  }
  if (fs::exists(written, error)) return written;
  return invalid("file " + halfstep::quoted(written.string()) + " does not exist: tried " +
                 halfstep::quoted(beside.string()) + " (the list's folder) and " +
                 halfstep::quoted((fs::current_path(error) / written).string()) + " (the working directory)");
}

}  // namespace

std::string InputList::place(const SampleLine& line) const {
  return is_folder ? line.files.front().path.string() : path.string() + ":" + std::to_string(line.number);
}

Result<InputList> parse_input_list(std::string_view text, const fs::path& path) {
  InputList list;
  list.path = path;
  list.text = text;
  const fs::path folder = path.parent_path();
  for (const TextLine& line : lines_of(text)) {
    SampleLine sample{line.number, {}};
    if (line.text.front() == '#' || line.text.front() == '%') {
      if (!list.samples.empty()) {
        return invalid("output names are only allowed before the first sample").at(list.place(sample));
      }
      auto& names = line.text.front() == '#' ? list.output_layers : list.output_tensors;
      if (auto parsed = parse_names(line.text, names); !parsed.ok()) return parsed.error().at(list.place(sample));
      continue;
    }
    auto files = parse_files(line.text);
    if (!files.ok()) return files.error().at(list.place(sample));
    sample.files = *std::move(files);
    for (SampleFile& file : sample.files) {
      auto found = find_file(file.path, folder);
      if (!found.ok()) {
        const Error error =
            file.input.empty() ? found.error() : found.error().at("input " + halfstep::quoted(file.input));
        return error.at(list.place(sample));
      }
      file.path = *std::move(found);
    }
    list.samples.push_back(std::move(sample));
  }
  if (list.samples.empty()) return invalid("lists no samples").at(path.string());
  return list;
}

Result<InputList> read_input_list(const fs::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text.ok()) return text.error();
  return parse_input_list(*text, path);
}

}  // namespace halfstep::io
