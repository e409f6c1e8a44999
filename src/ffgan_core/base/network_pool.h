// SPDX-License-Identifier: GPL-3.0-or-later
//
// A network holds its activations, so each thread that computes takes one of its own from here.

#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ffgan {

template <typename network> class network_pool {
  public:
    // What the networks are copies of; to be read before the first is taken.
    network original;

    std::unique_ptr<network> take() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!idle_.empty()) {
                auto taken = std::move(idle_.back());
                idle_.pop_back();
                return taken;
            }
        }
        return std::make_unique<network>(original);
    }

    void give_back(std::unique_ptr<network> taken) {
        const std::lock_guard<std::mutex> lock(mutex_);
        idle_.push_back(std::move(taken));
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<network>> idle_;
};

} // namespace ffgan
