// SPDX-License-Identifier: GPL-3.0-or-later
//
// The types behind float8.h. A register is a vector type of GCC and Clang, which has all operators;
// a value that is wider than a register is a `halves` of half its width, since the
// compilers keep wider vector types in memory.

#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

// The vector types stay inside inlined functions, so the calling convention GCC warns about for
// targets without AVX is never used.
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace ffgan {

typedef float float4 __attribute__((vector_size(16)));
typedef std::int32_t int32x4 __attribute__((vector_size(16)));

template <class V> struct halves {
    V low, high;

    friend halves operator+(halves a, halves b) { return {a.low + b.low, a.high + b.high}; }
    friend halves operator-(halves a, halves b) { return {a.low - b.low, a.high - b.high}; }
    friend halves operator*(halves a, halves b) { return {a.low * b.low, a.high * b.high}; }
    friend halves operator/(halves a, halves b) { return {a.low / b.low, a.high / b.high}; }
    friend halves operator+(halves a, float b) { return {a.low + b, a.high + b}; }
    friend halves operator-(halves a, float b) { return {a.low - b, a.high - b}; }
    friend halves operator*(halves a, float b) { return {a.low * b, a.high * b}; }
    friend halves operator/(halves a, float b) { return {a.low / b, a.high / b}; }
    friend halves operator+(float a, halves b) { return {a + b.low, a + b.high}; }
    friend halves operator-(float a, halves b) { return {a - b.low, a - b.high}; }
    friend halves operator*(float a, halves b) { return {a * b.low, a * b.high}; }
    friend halves operator/(float a, halves b) { return {a / b.low, a / b.high}; }
    friend halves operator-(halves a) { return {-a.low, -a.high}; }
    halves& operator+=(halves b) { return *this = *this + b; }
    halves& operator-=(halves b) { return *this = *this - b; }
    halves& operator*=(halves b) { return *this = *this * b; }
    friend auto operator<(halves a, halves b) { return mask(a.low < b.low, a.high < b.high); }
    friend auto operator>(halves a, halves b) { return mask(a.low > b.low, a.high > b.high); }

  private:
    template <class M> static halves<M> mask(M low, M high) { return {low, high}; }
};

#if defined(__AVX512F__)
constexpr long native_lanes = 16;
#elif defined(__AVX__)
constexpr long native_lanes = 8;
#else
constexpr long native_lanes = 4;
#endif

// Floats that one register holds, and how many registers there are, decide how a kernel is cut;
// they never decide in which order a value is summed.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr long native_registers = 32;
#else
constexpr long native_registers = 16;
#endif

#if defined(__AVX__)
typedef float float8 __attribute__((vector_size(32)));
typedef std::int32_t int32x8 __attribute__((vector_size(32)));
#else
using float8 = halves<float4>;
using int32x8 = halves<int32x4>;
#endif

#if defined(__AVX512F__)
typedef float float16 __attribute__((vector_size(64)));
typedef std::int32_t int32x16 __attribute__((vector_size(64)));
#else
using float16 = halves<float8>;
using int32x16 = halves<int32x8>;
#endif

namespace detail {
template <class V> struct is_halves : std::false_type {};
template <class V> struct is_halves<halves<V>> : std::true_type {};

// As many integers as a register has floats.
template <class V> struct integers;
template <> struct integers<float4> { using type = int32x4; };
#if defined(__AVX__)
template <> struct integers<float8> { using type = int32x8; };
#endif
#if defined(__AVX512F__)
template <> struct integers<float16> { using type = int32x16; };
#endif
template <class V> using integers_of = typename integers<V>::type;
} // namespace detail

template <class V> constexpr long lanes_of = static_cast<long>(sizeof(V) / sizeof(float));

template <class V> inline V broadcast(float x) {
    if constexpr (detail::is_halves<V>::value) {
        const auto half = broadcast<decltype(V::low)>(x);
        return {half, half};
    } else if constexpr (sizeof(V) == 16) {
        return V{x, x, x, x};
    } else if constexpr (sizeof(V) == 32) {
        return V{x, x, x, x, x, x, x, x};
    } else {
        return V{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
    }
}

// a where the mask, the result of a comparison, is set, elsewhere b.
template <class Mask, class V> inline V select(Mask mask, V a, V b) {
    if constexpr (detail::is_halves<V>::value)
        return {select(mask.low, a.low, b.low), select(mask.high, a.high, b.high)};
    else
        return mask ? a : b;
}

// f of each register of a value.
template <class V, class F> inline V by_registers(V v, const F& f) {
    if constexpr (detail::is_halves<V>::value)
        return {by_registers(v.low, f), by_registers(v.high, f)};
    else
        return f(v);
}

// Whole numbers to powers of two; between -126 and 127.
template <class V> inline V two_to_the(V whole) {
    return by_registers(whole, [](auto x) {
        using integers = detail::integers_of<decltype(x)>;
        const integers bits = (__builtin_convertvector(x, integers) + 127) << 23;
        std::memcpy(&x, &bits, sizeof x);
        return x;
    });
}

template <class V> inline V square_root(V v) {
    return by_registers(v, [](auto x) {
#if defined(__AVX512F__)
        if constexpr (sizeof x == 64)
            return decltype(x)(_mm512_sqrt_ps(x));
        else
#endif
#if defined(__AVX__)
            if constexpr (sizeof x == 32)
            return decltype(x)(_mm256_sqrt_ps(x));
        else
#endif
#if defined(__x86_64__)
            return decltype(x)(_mm_sqrt_ps(x));
#elif defined(__aarch64__)
            return decltype(x)(vsqrtq_f32(x));
#else
        {
            for (unsigned i = 0; i < sizeof x / sizeof(float); ++i)
                x[i] = __builtin_sqrtf(x[i]);
            return x;
        }
#endif
    });
}

// The values whose bit is 1, and zeros.
template <class V> inline V kept_lanes(std::uint64_t bits, V v) {
    if constexpr (detail::is_halves<V>::value) {
        return {kept_lanes(bits, v.low), kept_lanes(bits >> lanes_of<decltype(v.low)>, v.high)};
    } else {
        using integers = detail::integers_of<V>;
        integers which{};
        for (unsigned i = 0; i < sizeof v / sizeof(float); ++i)
            which[i] = 1 << i;
        const auto these = static_cast<std::int32_t>(bits & ((std::uint64_t{1} << lanes_of<V>)-1));
        integers raw;
        std::memcpy(&raw, &v, sizeof raw);
        raw &= (which & these) != 0;
        std::memcpy(&v, &raw, sizeof v);
        return v;
    }
}

} // namespace ffgan
