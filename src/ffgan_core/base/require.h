// SPDX-License-Identifier: GPL-3.0-or-later
//
// Checks of arguments, whose errors Python sees as ValueError.

#pragma once

#include <stdexcept>
#include <string>

namespace ffgan {

inline void require(bool condition, const char* message) {
    if (!condition)
        throw std::invalid_argument(message);
}
inline void require(bool condition, const std::string& message) {
    require(condition, message.c_str());
}

} // namespace ffgan
