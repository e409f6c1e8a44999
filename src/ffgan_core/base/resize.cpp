// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/resize.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace ffgan {
namespace {

constexpr long channels = 3;

std::size_t as_size(long count) { return static_cast<std::size_t>(count); }

// --- Smaller ---
//
// Of `from` pixels that become `to`, each counts `to` parts and each new one has `from` of them.

// The old pixels that a new one covers: the first and the last one in part, others whole.
struct covered {
    long first, last;
    std::uint32_t parts_of_first, parts_of_last; // the latter 0 where there is only one
};

covered pixels_of(long place, long from, long to) {
    const long begin = place * from, end = begin + from;
    const long first = begin / to, last = (end - 1) / to;
    const long of_first = std::min((first + 1) * to, end) - begin;
    return {first, last, static_cast<std::uint32_t>(of_first),
            static_cast<std::uint32_t>(first == last ? 0 : end - last * to)};
}

// So many rows of 8 bits fit into a sum of 16.
constexpr long rows_of_a_sum = 257;

// Sums columns over rows.
class column_sums {
  public:
    explicit column_sums(long values) : whole_(as_size(values)), part_(as_size(values)) {}

    // The sum over the parts that new row `place` of `to` covers: at most 255 * rows.
    const std::vector<std::uint32_t>& over(const picture_rows& picture, long place, long to) {
        const covered rows = pixels_of(place, picture.size.rows, to);
        const std::uint8_t* first = picture.pixels + rows.first * picture.stride;
        const std::uint8_t* last = picture.pixels + rows.last * picture.stride;
        const std::size_t values = whole_.size();
        for (std::size_t i = 0; i < values; ++i)
            whole_[i] = first[i] * rows.parts_of_first + last[i] * rows.parts_of_last;
        const auto parts = static_cast<std::uint32_t>(to);
        for (long begin = rows.first + 1; begin < rows.last; begin += rows_of_a_sum) {
            const long end = std::min(begin + rows_of_a_sum, rows.last);
            std::fill(part_.begin(), part_.end(), std::uint16_t{0});
            for (long row = begin; row < end; ++row) {
                const std::uint8_t* in = picture.pixels + row * picture.stride;
                for (std::size_t i = 0; i < values; ++i)
                    part_[i] = static_cast<std::uint16_t>(part_[i] + in[i]);
            }
            for (std::size_t i = 0; i < values; ++i)
                whole_[i] += part_[i] * parts;
        }
        return whole_;
    }

  private:
    std::vector<std::uint32_t> whole_;
    std::vector<std::uint16_t> part_;
};

// Sums of so many values, divided.
class division {
  public:
    explicit division(picture_size size)
        : count_(static_cast<std::uint64_t>(size.rows) * static_cast<std::uint64_t>(size.columns)),
          one_of_count_(1.0 / static_cast<double>(count_)) {}

    // Halves are rounded up; the quotient is at most 255.
    void store(std::uint64_t sum, std::uint8_t& average) const {
        const std::uint64_t dividend = sum + count_ / 2;
        // An estimate, which may be off by one.
        auto quotient = static_cast<std::uint64_t>(static_cast<double>(dividend) * one_of_count_);
        if (quotient * count_ > dividend)
            --quotient;
        else if ((quotient + 1) * count_ <= dividend)
            ++quotient;
        average = static_cast<std::uint8_t>(quotient);
    }

    void store(std::uint64_t sum, float& average) const {
        average = static_cast<float>(static_cast<double>(sum) / static_cast<double>(count_));
    }

  private:
    std::uint64_t count_;
    double one_of_count_;
};

template <typename value> void shrink(const picture_rows& picture, picture_size size, value* out) {
    const long old_columns = picture.size.columns;
    const division by_count(picture.size);
    std::vector<covered> places(as_size(size.columns));
    for (long column = 0; column < size.columns; ++column)
        places[as_size(column)] = pixels_of(column, old_columns, size.columns);
    const auto parts = static_cast<std::uint64_t>(size.columns);
    column_sums sums(old_columns * channels);
    for (long row = 0; row < size.rows; ++row) {
        const std::uint32_t* of = sums.over(picture, row, size.rows).data();
        for (const covered& columns : places) {
            const std::uint32_t* first = of + columns.first * channels;
            const std::uint32_t* last = of + columns.last * channels;
            std::uint64_t whole[channels] = {};
            for (const std::uint32_t* in = first + channels; in < last; in += channels)
                for (long c = 0; c < channels; ++c)
                    whole[c] += in[c];
            for (long c = 0; c < channels; ++c)
                by_count.store(whole[c] * parts + std::uint64_t{first[c]} * columns.parts_of_first +
                                   std::uint64_t{last[c]} * columns.parts_of_last,
                               *out++);
        }
    }
}

// --- Larger ---
//
// By products of 16 bits, for which processors have an instruction that works on many at once.
// Pixels are counted from the middle of their range, so that what overshoots it stays within.

constexpr int weight_bits = 14;
constexpr int middle = 128;
constexpr int given_bits = 8; // of fractions; each direction costs one

constexpr long taps = 4;

// Four pixels of a line, the outermost one standing for those beyond, and their weights.
struct mixture {
    long place[taps];
    std::int16_t weight[taps];
};

// A quotient, halves rounded up; the divisor is positive.
std::int64_t rounded_quotient(std::int64_t dividend, std::int64_t divisor) {
    const std::int64_t twice = 2 * dividend + divisor, by = 2 * divisor;
    return twice / by - (twice % by < 0);
}

// New pixel `place` of `to`, between those of a line of `from`. The weights add up to one exactly:
// a plain area stays as it is.
mixture mix(long place, long from, long to) {
    constexpr std::int64_t one = std::int64_t{1} << 15; // 4 * one^3 is far below 2^63
    constexpr std::int64_t scale = 4 * one * one * one >> weight_bits;
    // (place + 1/2) * from / to - 1/2, in halves of 1 / to.
    const std::int64_t position = (2 * std::int64_t{place} + 1) * from - to, unit = 2 * to;
    const std::int64_t before = position / unit - (position % unit < 0);
    const std::int64_t t = rounded_quotient((position - before * unit) * one, unit), u = one - t;
    mixture result{};
    for (long k = 0; k < taps; ++k)
        result.place[k] = std::clamp(static_cast<long>(before) - 1 + k, 0L, from - 1);
    // Four times the polynomials of the cubic: whole numbers.
    const auto outer = [&](std::int64_t near, std::int64_t far) { return -3 * near * far * far; };
    const auto inner = [&](std::int64_t x) {
        return (5 * x - 9 * one) * x * x + 4 * one * one * one;
    };
    const std::int64_t weights[taps] = {outer(t, u), inner(t), inner(u), outer(u, t)};
    int rest = 1 << weight_bits;
    for (long k = 0; k < taps; ++k) {
        result.weight[k] = static_cast<std::int16_t>(rounded_quotient(weights[k], scale));
        rest -= result.weight[k];
    }
    std::int16_t& nearest = result.weight[t <= u ? 1 : 2];
    nearest = static_cast<std::int16_t>(nearest + rest);
    return result;
}

// Halves are rounded up; one bit of fractions less than `value`.
std::int16_t product(std::int16_t value, std::int16_t weight) {
    return static_cast<std::int16_t>(((value * weight >> weight_bits) + 1) >> 1);
}

// Rows of so many values, `in`, mixed.
void mix_rows(const std::int16_t* in, std::size_t values, const mixture& rows, std::int16_t* out) {
    // Copies, which `out` cannot be: else the compiler would work on one value at a time.
    const std::int16_t* const a = in + as_size(rows.place[0]) * values;
    const std::int16_t* const b = in + as_size(rows.place[1]) * values;
    const std::int16_t* const c = in + as_size(rows.place[2]) * values;
    const std::int16_t* const d = in + as_size(rows.place[3]) * values;
    const std::int16_t of_a = rows.weight[0], of_b = rows.weight[1];
    const std::int16_t of_c = rows.weight[2], of_d = rows.weight[3];
    for (std::size_t i = 0; i < values; ++i)
        out[i] = static_cast<std::int16_t>(product(a[i], of_a) + product(b[i], of_b) +
                                           product(c[i], of_c) + product(d[i], of_d));
}

// The columns of a picture as rows.
std::vector<std::int16_t> turn(const picture_rows& picture) {
    const auto [rows, columns] = picture.size;
    std::vector<std::int16_t> turned(as_size(rows * columns * channels));
    std::int16_t* out = turned.data();
    for (long column = 0; column < columns; ++column)
        for (long row = 0; row < rows; ++row) {
            const std::uint8_t* in = picture.pixels + row * picture.stride + column * channels;
            for (long c = 0; c < channels; ++c)
                *out++ = static_cast<std::int16_t>((in[c] - middle) * (1 << given_bits));
        }
    return turned;
}

// Rows of `columns` pixels.
std::vector<std::int16_t> widen(const picture_rows& picture, long columns) {
    constexpr long block = 8; // columns that are turned back at once: memory likes neighbours
    const auto [rows, old_columns] = picture.size;
    const std::vector<std::int16_t> turned = turn(picture);
    std::vector<std::int16_t> lines(as_size(block * rows * channels));
    std::vector<std::int16_t> widened(as_size(rows * columns * channels));
    for (long begin = 0; begin < columns; begin += block) {
        const long count = std::min(block, columns - begin);
        for (long k = 0; k < count; ++k)
            mix_rows(turned.data(), as_size(rows * channels), mix(begin + k, old_columns, columns),
                     lines.data() + as_size(k * rows * channels));
        for (long row = 0; row < rows; ++row) {
            std::int16_t* out = widened.data() + as_size((row * columns + begin) * channels);
            for (long k = 0; k < count; ++k)
                for (long c = 0; c < channels; ++c)
                    *out++ = lines[as_size((k * rows + row) * channels + c)];
        }
    }
    return widened;
}

void enlarge(const picture_rows& picture, picture_size size, std::uint8_t* out) {
    constexpr int bits = given_bits - 2;
    const std::vector<std::int16_t> widened = widen(picture, size.columns);
    std::vector<std::int16_t> line(as_size(size.columns * channels));
    for (long row = 0; row < size.rows; ++row) {
        mix_rows(widened.data(), line.size(), mix(row, picture.size.rows, size.rows), line.data());
        for (const std::int16_t value : line)
            *out++ = static_cast<std::uint8_t>(
                std::clamp(((value + (1 << (bits - 1))) >> bits) + middle, 0, 255));
    }
}

void copy(const picture_rows& picture, std::uint8_t* out) {
    const std::size_t bytes = as_size(picture.size.columns * channels);
    for (long row = 0; row < picture.size.rows; ++row)
        std::memcpy(out + as_size(row) * bytes, picture.pixels + row * picture.stride, bytes);
}

} // namespace

void check_resizing(picture_size from, picture_size to) {
    for (const long side : {from.rows, from.columns, to.rows, to.columns})
        if (side < 1 || side > longest_side)
            throw std::invalid_argument("a side of a picture is not from 1 to 1048576 pixels");
}

void average_areas(const picture_rows& picture, picture_size size, float* averages) {
    check_resizing(picture.size, size);
    if (size.rows > picture.size.rows || size.columns > picture.size.columns)
        throw std::invalid_argument("areas are averaged where a picture becomes smaller");
    shrink(picture, size, averages);
}

void resize(const picture_rows& picture, picture_size size, std::uint8_t* resized) {
    check_resizing(picture.size, size);
    const auto differ = [](picture_size a, picture_size b) {
        return a.rows != b.rows || a.columns != b.columns;
    };
    const picture_size smaller{std::min(size.rows, picture.size.rows),
                               std::min(size.columns, picture.size.columns)};
    const bool shrinks = differ(smaller, picture.size), grows = differ(smaller, size);
    if (!grows)
        return shrinks ? shrink(picture, size, resized) : copy(picture, resized);
    if (!shrinks)
        return enlarge(picture, size, resized);
    std::vector<std::uint8_t> between(as_size(smaller.rows * smaller.columns * channels));
    shrink(picture, smaller, between.data());
    enlarge({between.data(), smaller, smaller.columns * channels}, size, resized);
}

} // namespace ffgan
