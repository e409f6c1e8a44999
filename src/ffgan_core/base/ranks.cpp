// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/ranks.h"

#include <algorithm>
#include <stdexcept>

namespace ffgan {

ranks::ranks(communicator& all) : all_(&all), number_(all.rank()), count_(all.size()) {
    if (count_ < 1 || number_ < 0 || number_ >= count_)
        throw std::invalid_argument("the rank is not from 0 to the number of ranks less one");
    if (count_ == 1)
        all_ = nullptr;
}

std::vector<double> ranks::gather(const double* values, long count) const {
    const std::size_t n = static_cast<std::size_t>(count);
    std::vector<double> result(n * static_cast<std::size_t>(count_));
    if (alone())
        std::copy_n(values, n, result.begin());
    else
        all_->gather(values, n * sizeof(double), result.data());
    return result;
}

void ranks::sum(double* values, long count) const {
    if (alone() || count == 0)
        return;
    const std::vector<double> all = gather(values, count);
    std::copy_n(all.begin(), count, values);
    for (long rank = 1; rank < count_; ++rank)
        for (long i = 0; i < count; ++i)
            values[i] += all[static_cast<std::size_t>(rank * count + i)];
}

namespace {

// As ranks::gather_rows for samples in groups of `whole`, `total` in all.
template <typename T>
std::vector<T> rows_of_all(const ranks& all, const T* own, long whole, long total, long size) {
    if (all.alone())
        return {own, own + total * size};
    const auto owner = [&](long sample) { return sample % whole % all.count(); };
    std::vector<long> rows(static_cast<std::size_t>(all.count()));
    for (long sample = 0; sample < total; ++sample)
        ++rows[static_cast<std::size_t>(owner(sample))];
    // Parts of one length: the first rank has the most rows.
    const long length = rows[0] * size;
    std::vector<T> padded(own, own + rows[static_cast<std::size_t>(all.number())] * size);
    padded.resize(static_cast<std::size_t>(length));
    std::vector<T> parts(static_cast<std::size_t>(length * all.count()));
    all.all()->gather(padded.data(), padded.size() * sizeof(T), parts.data());
    std::fill(rows.begin(), rows.end(), 0);
    std::vector<T> result;
    result.reserve(static_cast<std::size_t>(total * size));
    for (long sample = 0; sample < total; ++sample) {
        const long rank = owner(sample);
        const auto row =
            parts.begin() + rank * length + rows[static_cast<std::size_t>(rank)]++ * size;
        result.insert(result.end(), row, row + size);
    }
    return result;
}

} // namespace

std::vector<float> ranks::gather_rows(const float* own_rows, long whole, long size) const {
    return rows_of_all(*this, own_rows, whole, whole, size);
}

std::vector<double> shared_samples::gather_rows(const std::vector<double>& own, long size) const {
    return rows_of_all(all_, own.data(), whole_, total_, size);
}

} // namespace ffgan
