// aimet_config.hpp: what an AIMET quantsim configuration says of a whole model, as options.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "halfstep/options.hpp"
#include "halfstep/result.hpp"
#include "io/json/quantsim_config.hpp"

namespace halfstep::pipeline {

/// Errors: those of read_text() and io::read_quantsim_config().
Result<io::QuantsimConfig> read_aimet_config(const std::filesystem::path& file);

/// Schemas, strictness and granularity, as AIMET takes them where the file is silent: asymmetric, one grid a tensor. Of
/// the widths that `given`, the user's options, leaves open those of the first supported kernel of integers that suits
/// the rest. Errors: kUsage naming the rule if no kernel suits.
Result<GivenOptions> options_of(const io::QuantsimConfig& config, const GivenOptions& given);

/// "int8 activations with int4 parameters, float16 activations": the kernels in words.
std::string in_words(const std::vector<io::QuantsimKernel>& kernels);
std::string in_words(const io::QuantsimKernel& kernel);

/// True if one of `kernels` computes `wanted`; without parameter any will do.
bool has_kernel(const std::vector<io::QuantsimKernel>& kernels, const io::QuantsimKernel& wanted);

/// The first of integers that can be written, with activations of `act_bits` and parameters of `weight_bits` where
/// these are not 0; nullptr if there is none.
const io::QuantsimKernel* first_integer_kernel(const std::vector<io::QuantsimKernel>& kernels, int act_bits,
                                               int weight_bits);

}  // namespace halfstep::pipeline
