// recorded_grids.hpp: what entries of encodings files cannot say of a grid, kept beside them so that our own files come
// back equal: narrow grids and widths that share their storage with a larger one, and below version 2 the sign of
// integers whose zero point is not 0. Key "grids" of our own key "halfstep": tensor name to [q_min, q_max].
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "encoding/encoding.hpp"
#include "io/json/encodings_json.hpp"

namespace halfstep::io {

/// The grid of `encoding` if an entry of `version` reads back as another; else empty.
std::optional<IntGrid> grid_to_record(const Encoding& encoding, EncodingsVersion version);

/// The grid that `document` records for `tensor`; empty if there is none or it makes no sense.
std::optional<IntGrid> recorded_grid(const nlohmann::json& document, const std::string& tensor);

/// `read` on `grid`, real numbers unchanged. As read if it cannot be: somebody changed the entry since it was written.
Encoding on_recorded_grid(const Encoding& read, IntGrid grid);

}  // namespace halfstep::io
