// SPDX-License-Identifier: GPL-3.0-or-later
//
// What carries bytes between the ranks of a training lies in Python, where message passing has its
// libraries.

#pragma once

#include "base/ranks.h"

#include <pybind11/pybind11.h>

#include <utility>

namespace ffgan::bindings {

class python_communicator final : public communicator {
  public:
    // An object with `rank`, `size`, `gather(own, all)` and `exchange(parts, received)`, which get
    // memoryviews of bytes, as communicator's functions; the second one is written to.
    explicit python_communicator(pybind11::object given)
        : given_(std::move(given)), rank_(pybind11::cast<long>(given_.attr("rank"))),
          size_(pybind11::cast<long>(given_.attr("size"))) {}

    long rank() const override { return rank_; }
    long size() const override { return size_; }

    void gather(const void* own, std::size_t bytes, void* all) override {
        call("gather", own, bytes, all, bytes * static_cast<std::size_t>(size_));
    }
    void exchange(const void* parts, std::size_t bytes, void* received) override {
        const std::size_t all = bytes * static_cast<std::size_t>(size_);
        call("exchange", parts, all, received, all);
    }

  private:
    void call(const char* name, const void* from, std::size_t given, void* to, std::size_t wanted) {
        pybind11::gil_scoped_acquire acquire; // a step has released it
        const auto view = [](auto* memory, std::size_t bytes) {
            return pybind11::memoryview::from_memory(memory, static_cast<pybind11::ssize_t>(bytes));
        };
        given_.attr(name)(view(from, given), view(to, wanted));
    }

    pybind11::object given_;
    long rank_, size_;
};

} // namespace ffgan::bindings
