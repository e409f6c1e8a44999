// SPDX-License-Identifier: GPL-3.0-or-later
//
// Arithmetic of sizes.

#pragma once

#include <cstddef>

namespace ffgan {

inline std::size_t count(long n) { return static_cast<std::size_t>(n); }
inline long divided_up(long a, long b) { return (a + b - 1) / b; }
inline long rounded_up(long a, long b) { return divided_up(a, b) * b; }

} // namespace ffgan
