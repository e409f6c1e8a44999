// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/aligned_tensor.h"

#include "base/sizes.h"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ffgan::layers {
namespace {

constexpr std::uintptr_t line = 64, huge_page = 2 << 20;
constexpr long line_floats = line / sizeof(float);

// A wish, of the whole pages in a range that nobody has written to.
void ask_for_huge_pages([[maybe_unused]] float* begin, [[maybe_unused]] long size) {
#ifdef __linux__
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + huge_page - 1) & ~(huge_page - 1);
    const auto last = reinterpret_cast<std::uintptr_t>(begin + size) & ~(huge_page - 1);
    if (last > first)
        madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

} // namespace

std::size_t aligned_tensor::reserve(long size) {
    const long room = size + line_floats;
    if (static_cast<long>(memory_.size()) < room) {
        memory_.clear();
        memory_.set_size(room);
        ask_for_huge_pages(memory_.host_write_only(), room);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.host_write_only());
    return (line - address % line) % line / sizeof(float);
}

dlib::tensor& aligned_tensor::set_size(long samples, long channels, long rows, long columns) {
    const std::size_t offset = reserve(samples * channels * rows * columns);
    values_.emplace(dlib::alias_tensor(samples, channels, rows, columns)(memory_, offset));
    return *values_;
}

dlib::tensor& aligned_tensor::set_size_at_end(aligned_tensor& other, long room, long samples,
                                              long channels, long rows, long columns) {
    const long size = samples * channels * rows * columns;
    const std::size_t offset =
        other.reserve(room) + count((room - size) / line_floats * line_floats);
    memory_.clear();
    values_.emplace(dlib::alias_tensor(samples, channels, rows, columns)(other.memory_, offset));
    return *values_;
}

dlib::tensor& aligned_tensor::copy_size(const dlib::tensor& other) {
    return set_size(other.num_samples(), other.k(), other.nr(), other.nc());
}

void aligned_tensor::clear() {
    values_.reset();
    memory_.clear();
}

} // namespace ffgan::layers
