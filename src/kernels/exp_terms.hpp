// exp_terms.hpp: constants of the exponential function of float32, fitted for this project.
//
// x = n ln 2 + r with an integer n and |r| <= 0.347; e^x = 2^n (1 + r + r^2 q(r)).
#pragma once

namespace halfstep::kernels {

inline constexpr float kLog2OfE = 1.44269504F;
inline constexpr float kLn2High = 0.693359375F;  ///< 10 significant bits: n * kLn2High is exact for |n| < 2^14.
inline constexpr float kLn2Low = -2.12194440e-4F;

/// 1.5 * 2^23: added to a small number, it leaves that number's nearest integer in the low bits of the sum.
inline constexpr float kToInteger = 12582912.0F;

/// q, from the highest power down. 1 + r + r^2 q(r) is off by 2e-8, relative, before rounding.
inline constexpr float kExpTerms[] = {0.00139465788F, 0.00836665928F, 0.0416662805F, 0.16666542F, 0.5F};

}  // namespace halfstep::kernels
