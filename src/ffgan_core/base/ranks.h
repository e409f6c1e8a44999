// SPDX-License-Identifier: GPL-3.0-or-later
//
// Several processes, the ranks, can share each step of a training: every one computes a part of the
// batch, and what hangs on the whole batch is put together from all of them. The core says what is
// put together and in which order, so that the same number of ranks gives the same bytes on every
// run, whatever carries the bytes from one to the other.

#pragma once

#include <cstddef>
#include <vector>

namespace ffgan {

// What carries the bytes. All ranks make the same calls in the same order, from one thread.
class communicator {
  public:
    virtual ~communicator() = default;
    virtual long rank() const = 0;
    virtual long size() const = 0;
    // `all` receives the `bytes` of each rank, in the order of the ranks.
    virtual void gather(const void* own, std::size_t bytes, void* all) = 0;
    // Part k of `parts`, `bytes` long, goes to rank k; `received` gets the part of each rank.
    virtual void exchange(const void* parts, std::size_t bytes, void* received) = 0;
    // Another one, for another thread, whose calls have an order of their own; null where the ranks
    // have none.
    virtual communicator* apart() { return nullptr; }
    // Told for how long a step has waited for what that one carries.
    virtual void waited(double seconds) { static_cast<void>(seconds); }
};

// Which images of a batch are this process's, and sums over all of them. By default the process is
// alone and has them all: then nothing is carried or copied.
class ranks {
  public:
    ranks() = default;
    // The communicator must live longer. Throws std::invalid_argument for a rank that is none.
    explicit ranks(communicator& all);

    bool alone() const { return all_ == nullptr; }
    long number() const { return number_; }
    long count() const { return count_; }

    // Image i of this rank is number place(i) of the batch. So ranks have nearly equal parts of the
    // first ones, too, which some losses are about, and they come first in each rank.
    long place(long i) const { return number_ + i * count_; }
    // How many of the first `whole` images are this rank's.
    long own(long whole) const {
        return whole > number_ ? (whole - number_ + count_ - 1) / count_ : 0;
    }

    // For what all ranks know: the value at one of them, 0 at the others, so that the sum is right.
    double once(double value) const { return number_ == 0 ? value : 0; }

    // The sums over the ranks, in their order, in the place of what each one gives.
    void sum(double* values, long count) const;
    // What each rank gives, in the order of the ranks.
    std::vector<double> gather(const double* values, long count) const;
    // own: a row of `size` floats for each of this rank's of the `whole` images. The rows of all
    // images, in their order.
    std::vector<float> gather_rows(const float* own, long whole, long size) const;

    communicator* all() const { return all_; }

  private:
    communicator* all_ = nullptr;
    long number_ = 0, count_ = 1;
};

// The samples of a pass through a network: groups of `whole` (real images, fakes), the last of
// which may be cut short, `total` in all. Of each group a rank has those of its places.
class shared_samples {
  public:
    shared_samples() = default;
    shared_samples(const ranks& all, long whole, long total)
        : all_(all), whole_(whole), total_(total) {}

    bool alone() const { return all_.alone(); }
    // This rank's sample i among all.
    long place(long i) const {
        const long own = all_.own(whole_);
        return i / own * whole_ + all_.place(i % own);
    }
    long total() const { return total_; }

    // own: a row of `size` numbers for each of this rank's samples. The rows of all, in their
    // order: what is added up in it has the same bytes as in one process.
    std::vector<double> gather_rows(const std::vector<double>& own, long size) const;

  private:
    ranks all_;
    long whole_ = 0, total_ = 0;
};

} // namespace ffgan
