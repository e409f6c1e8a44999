// SPDX-License-Identifier: GPL-3.0-or-later
//
// What carries bytes between the ranks of a training lies in Python, where message passing has its
// libraries.

#pragma once

#include "base/ranks.h"

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

namespace ffgan::bindings {

class python_communicator final : public communicator {
  public:
    // An object with `rank`, `size`, `gather(own, all)` and `exchange(parts, received)`, which get
    // memoryviews of bytes, as communicator's functions; the second one is written to. `apart()`
    // gives another such object or None, and `waited(seconds)` is told of.
    explicit python_communicator(const pybind11::object& given)
        : python_communicator(given, of_one_thread()) {
        const pybind11::object other = given_.attr("apart")();
        if (!other.is_none())
            apart_.reset(new python_communicator(other, of_one_thread()));
    }

    long rank() const override { return rank_; }
    long size() const override { return size_; }

    void gather(const void* own, std::size_t bytes, void* all) override {
        call("gather", own, bytes, all, bytes * static_cast<std::size_t>(size_));
    }
    void exchange(const void* parts, std::size_t bytes, void* received) override {
        const std::size_t all = bytes * static_cast<std::size_t>(size_);
        call("exchange", parts, all, received, all);
    }

    communicator* apart() override { return apart_.get(); }
    void waited(double seconds) override {
        pybind11::gil_scoped_acquire acquire;
        given_.attr("waited")(seconds);
    }

  private:
    struct of_one_thread {};
    python_communicator(pybind11::object given, of_one_thread)
        : given_(std::move(given)), rank_(pybind11::cast<long>(given_.attr("rank"))),
          size_(pybind11::cast<long>(given_.attr("size"))) {}

    void call(const char* name, const void* from, std::size_t given, void* to, std::size_t wanted) {
        pybind11::gil_scoped_acquire acquire; // a step has released it
        const auto view = [](auto* memory, std::size_t bytes) {
            return pybind11::memoryview::from_memory(memory, static_cast<pybind11::ssize_t>(bytes));
        };
        given_.attr(name)(view(from, given), view(to, wanted));
    }

    pybind11::object given_;
    long rank_, size_;
    std::unique_ptr<python_communicator> apart_;
};

} // namespace ffgan::bindings
