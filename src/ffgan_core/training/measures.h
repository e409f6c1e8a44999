// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of a step measured, by name, in the order in which they were first named.

#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ffgan {

class measures {
  public:
    // 0 where it is new. The reference lives until the next new name.
    double& operator[](const std::string& name) {
        for (auto& [known, value] : values_)
            if (known == name)
                return value;
        return values_.emplace_back(name, 0.0).second;
    }
    auto begin() const { return values_.begin(); }
    auto end() const { return values_.end(); }

  private:
    std::vector<std::pair<std::string, double>> values_;
};

} // namespace ffgan
