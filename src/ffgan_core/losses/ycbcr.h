// SPDX-License-Identifier: GPL-3.0-or-later
//
// RGB as light and two differences of colour, as JFIF prescribes, without their offsets. The
// losses that look at colours share it.

#pragma once

#include <array>
#include <cstddef>

namespace ffgan {

constexpr std::size_t rgb_channels = 3;

// Rows Y, Cb and Cr.
constexpr std::array<std::array<float, rgb_channels>, rgb_channels> ycbcr = {{
    {0.299f, 0.587f, 0.114f},
    {-0.168736f, -0.331264f, 0.5f},
    {0.5f, -0.418688f, -0.081312f},
}};

} // namespace ffgan
