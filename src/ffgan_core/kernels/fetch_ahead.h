// SPDX-License-Identifier: GPL-3.0-or-later
//
// In training the values between the layers are far larger than the caches. Each core alone would
// wait for them, block by block: so while it multiplies one block it asks for the lines that it
// will read and write next, a few with every product.

#pragma once

#include <algorithm>

namespace ffgan::layers {

// Asks for a range of memory in a given number of steps.
class fetch_ahead {
  public:
    fetch_ahead() = default;
    fetch_ahead(const float* begin, const float* end, long steps) {
        if (end <= begin || steps <= 0)
            return;
        next_ = reinterpret_cast<const char*>(begin);
        end_ = reinterpret_cast<const char*>(end);
        bytes_ = ((end_ - next_) / steps / line + 1) * line;
    }

    bool is_empty() const { return next_ == end_; }

    void step(long steps = 1) {
        const char* stop = next_ + std::min<long>(end_ - next_, steps * bytes_);
        for (; next_ < stop; next_ += line)
            __builtin_prefetch(next_, 0, 2); // into the L2 cache
    }

  private:
    static constexpr long line = 64;
    const char *next_ = nullptr, *end_ = nullptr;
    long bytes_ = 0;
};

} // namespace ffgan::layers
