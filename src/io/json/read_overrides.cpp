// read_overrides.cpp: the entries of an overrides file meet the tensors of the model.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "core/glob.hpp"
#include "core/text.hpp"
#include "io/json/override_entry.hpp"
#include "io/json/override_items.hpp"
#include "io/json/overrides_json.hpp"
#include "io/json/parse_json.hpp"
#include "io/json/recorded_grids.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

/// Why an entry is for a tensor; the first goes before the others.
enum class Claim { kNamed, kMoved, kCloned, kMatched };

/// An override, who asked for it and why.
struct Claimed {
  Override override;
  Claim claim = Claim::kNamed;
  std::size_t item = 0;
};

class OverrideReader {
 public:
  OverrideReader(const json& document, const OverrideContext& context)
      : document_(document),
        context_(context),
        is_ours_(document.contains("halfstep") && document["halfstep"].is_object()) {
    for (const auto& [name, target] : context.targets) names_.push_back(name);
  }

  Result<OverridesFile> read(OverrideItems found) {
    items_ = std::move(found.items);
    for (std::size_t i = 0; i < items_.size(); ++i) {
      for (std::string& warning : items_[i].warnings) warn(i, std::move(warning));
    }
    // In the order of claims, so that what an entry may still take does not depend on the order of the file.
    for (const auto step : {&OverrideReader::take_named, &OverrideReader::take_moved, &OverrideReader::take_cloned,
                            &OverrideReader::take_matched}) {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        const Result<void> taken = (this->*step)(i);
        if (taken.ok()) continue;
        if (!context_.lenient) return taken.error();
        warn(i, taken.error().message);
      }
    }
    return result(std::move(found.warnings));
  }

 private:
  bool is_pattern(const OverrideItem& item) const {
    return item.says_pattern || (item.name.find('*') != std::string::npos && !context_.targets.contains(item.name));
  }
  bool is_named(const OverrideItem& item) const { return !is_pattern(item) && context_.targets.contains(item.name); }

  void warn(std::size_t item, std::string message) { warnings_.emplace_back(item, std::move(message)); }

  Result<void> take_named(std::size_t i) {
    const OverrideItem& item = items_[i];
    if (!is_named(item)) return {};
    return claim(i, item.name, item.place, Claim::kNamed);
  }

  Result<void> take_moved(std::size_t i) {
    const OverrideItem& item = items_[i];
    if (is_named(item) || is_pattern(item)) return {};
    std::optional<MovedName> moved;
    if (context_.find_moved) moved = context_.find_moved(item.name);
    if (!moved) {
      return invalid(item.place + ": the model has no tensor of that name" + did_you_mean(item.name, names_));
    }
    const auto survivor = context_.targets.find(moved->tensor);
    if (survivor == context_.targets.end()) return invalid(item.place + ": the tensor " + moved->how);
    if (moved->kind == MoveKind::kBound) {
      warn(i, item.place + ": no effect, the tensor " + moved->how);
      return {};
    }
    if (moved->kind == MoveKind::kFused && has_grid_of_its_survivor(i, moved->tensor)) return {};
    if (moved->kind == MoveKind::kFused && context_.limited != nullptr &&
        !is_width_only(*item.entry, survivor->second)) {
      context_.limited->insert(item.name);
      return {};
    }
    if (moved->kind != MoveKind::kSame) {
      const bool is_activation = survivor->second.role == TensorRole::kActivation;
      if (!is_activation || !is_width_only(*item.entry, survivor->second)) {
        return invalid(item.place + ": the tensor " + moved->how + "; write the entry for " +
                       halfstep::quoted(moved->tensor) + (is_activation ? ", or a width without a grid" : ""));
      }
    }
    return claim(i, moved->tensor, item.place + ", moved from " + halfstep::quoted(item.name), Claim::kMoved);
  }

  /// AIMET writes the grid behind a Relu or Clip in front of it, too: limiting codes is limiting what they mean.
  bool has_grid_of_its_survivor(std::size_t i, const std::string& survivor) {
    const auto named = claims_.find(survivor);
    if (named == claims_.end() || named->second.claim != Claim::kNamed || !named->second.override.encoding)
      return false;
    const OverrideItem& item = items_[i];
    const Result<Override> own = override_for(i, survivor, item.place, Claim::kMoved);
    return own.ok() && own->encoding == named->second.override.encoding;
  }

  /// A constant whose readers need different encodings was cloned under the names NAME_copy, NAME_copy_2, ...
  Result<void> take_cloned(std::size_t i) {
    const OverrideItem& item = items_[i];
    if (!is_named(item) || !context_.targets.find(item.name)->second.shape) return {};
    const std::string first = item.name + "_copy";
    std::string clone = first;
    for (int suffix = 2;; ++suffix) {
      const auto target = context_.targets.find(clone);
      if (target == context_.targets.end()) return {};
      if (target->second.shape == context_.targets.find(item.name)->second.shape && !claims_.contains(clone)) {
        const Result<void> claimed =
            claim(i, clone, item.place + ", for its clone " + halfstep::quoted(clone), Claim::kCloned);
        // Another axis may be the channels' there: no fault of the file.
        if (!claimed.ok()) warn(i, claimed.error().message + "; the clone keeps what calibration gives it");
      }
      clone = first + "_" + std::to_string(suffix);
    }
  }

  Result<void> take_matched(std::size_t i) {
    const OverrideItem& item = items_[i];
    if (!is_pattern(item)) return {};
    const GlobKind kind = item.says_pattern ? GlobKind::kWildcards : GlobKind::kStars;
    bool matches = false;
    for (const std::string& name : names_) {
      if (!suits(item.section, context_.targets.find(name)->second) || !matches_glob(item.name, name, kind)) continue;
      matches = true;
      if (auto ok = claim(i, name, item.place, Claim::kMatched); !ok.ok()) return ok;
    }
    if (matches) return {};
    return invalid(item.place + ": no " +
                   (item.section == SectionKind::kActivations  ? "activation"
                    : item.section == SectionKind::kParameters ? "parameter"
                                                               : "tensor") +
                   " matches the pattern" + nearest_to_pattern(item.name));
  }

  std::string nearest_to_pattern(std::string pattern) const {
    std::erase(pattern, '*');
    return did_you_mean(pattern, names_);
  }

  static bool suits(SectionKind section, const EncodingTarget& target) {
    return section == SectionKind::kAll ||
           (section == SectionKind::kActivations) == (target.role == TensorRole::kActivation);
  }

  /// Reads the entry of item `i` for `tensor`, unless an entry with a better claim was there before.
  Result<void> claim(std::size_t i, const std::string& tensor, const std::string& place, Claim why) {
    const auto before = claims_.find(tensor);
    if (before != claims_.end() && before->second.claim < why) {
      if (why == Claim::kMoved) {
        warn(i, place + ": no effect, " + halfstep::quoted(tensor) + " has an entry of its own");
      }
      return {};
    }
    if (before != claims_.end() && why == Claim::kMoved) {
      return invalid(place + ": " + halfstep::quoted(tensor) + " has the entry of another tensor that moved to it, " +
                     before->second.override.place);
    }
    Result<Override> read = override_for(i, tensor, place, why);
    if (!read.ok()) return read.error();
    claims_.insert_or_assign(tensor, Claimed{*std::move(read), why, i});
    return {};
  }

  Result<Override> override_for(std::size_t i, const std::string& tensor, const std::string& place, Claim why) {
    const OverrideItem& item = items_[i];
    const EncodingTarget& target = context_.targets.find(tensor)->second;
    if (Result<void> ok = check_section(i, target, place, why); !ok.ok()) return ok.error();
    Result<OverrideEntry> entry = read_override_entry(*item.entry, target, is_ours_);
    if (!entry.ok()) return entry.error().at(place);
    if (why == Claim::kMatched && entry->encoding && entry->encoding->params().size() > 1) {
      return invalid(place + ": a pattern gives whole tensors a grid, not channels");
    }
    if (warned_.insert(i).second) {
      for (const std::string& warning : entry->warnings) warn(i, place + ": " + warning);
    }
    if (entry->encoding) {
      const std::optional<IntGrid> grid = recorded_grid(document_, tensor);
      if (grid) entry->encoding = on_recorded_grid(*entry->encoding, *grid);
    }
    return Override{.tensor = tensor,
                    .place = place,
                    .encoding = std::move(entry->encoding),
                    .bits = entry->bits,
                    .float_bits = entry->float_bits,
                    .symmetric = entry->symmetric};
  }

  Result<void> check_section(std::size_t i, const EncodingTarget& target, const std::string& place, Claim why) {
    if (suits(items_[i].section, target)) return {};
    if (items_[i].section == SectionKind::kParameters) {
      return invalid(place + ": the tensor is an activation: its entry belongs into activation_encodings");
    }
    if (why != Claim::kCloned) {
      warn(i, place + ": the tensor is a constant: its entry belongs into param_encodings");
    }
    return {};
  }

  OverridesFile result(std::vector<std::string> warnings) {
    std::ranges::stable_sort(warnings_, {}, &std::pair<std::size_t, std::string>::first);
    OverridesFile file{.overrides = {}, .warnings = std::move(warnings)};
    for (auto& [item, warning] : warnings_) file.warnings.push_back(std::move(warning));
    std::vector<Claimed> all;
    for (auto& [tensor, claimed] : claims_) all.push_back(std::move(claimed));
    std::ranges::stable_sort(all, {}, &Claimed::item);
    for (Claimed& claimed : all) file.overrides.push_back(std::move(claimed.override));
    return file;
  }

  const json& document_;
  const OverrideContext& context_;
  bool is_ours_;  ///< Quantize wrote the file: it may hold more than others' tools take.
  std::vector<std::string> names_;
  std::vector<OverrideItem> items_;
  std::map<std::string, Claimed, std::less<>> claims_;         ///< By tensor.
  std::set<std::size_t> warned_;                               ///< Items whose own warnings were given.
  std::vector<std::pair<std::size_t, std::string>> warnings_;  ///< By item.
};

}  // namespace

Result<OverridesFile> read_overrides(std::string_view text, const std::string& file, const OverrideContext& context) {
  const Result<json> document = parse_json(text);
  if (!document.ok()) return document.error().at(file);
  Result<OverrideItems> found = override_items(*document, text, file, context.lenient);
  if (!found.ok()) return found.error();
  return OverrideReader(*document, context).read(*std::move(found));
}

}  // namespace halfstep::io
