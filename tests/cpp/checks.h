// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a test program reports: one line per check; it exits 1 when any failed.

#pragma once

#include <iostream>
#include <string>

namespace checks {

inline int failures = 0;

inline void check(const std::string& name, bool passed, const std::string& detail = "") {
    std::cout << (passed ? "ok    " : "FAIL  ") << name << (detail.empty() ? "" : ": ") << detail
              << std::endl;
    failures += !passed;
}

} // namespace checks
