// SPDX-License-Identifier: GPL-3.0-or-later

// multiply_add, which SSE4.2 has to emulate, against std::fma, bit for bit: random numbers of all
// sizes, sums that a second rounding would get wrong, subnormal numbers, zeros of both signs,
// infinities and NaN. Prints one line per check; exits 1 when any failed.

#include "base/random.h"
#include "kernels/arithmetic_kernels.h"

#include <cmath>
#include <cstring>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

namespace {

int failures = 0;

std::uint32_t bits_of(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

float float_of(std::uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

struct triples {
    std::vector<float> a, b, c;

    void add(float x, float y, float z) {
        a.push_back(x);
        b.push_back(y);
        c.push_back(z);
    }
};

// How often two roundings, as in float(double(a) * b + c), give something else.
void check(const std::string& name, const triples& t, bool twice_is_wrong) {
    std::vector<float> results(t.a.size());
    ffgan::multiply_add_values(static_cast<long>(results.size()), t.a.data(), t.b.data(),
                               t.c.data(), results.data());
    long wrong = 0, twice = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
        const float expected = std::fma(t.a[i], t.b[i], t.c[i]);
        const float rounded_twice =
            static_cast<float>(static_cast<double>(t.a[i]) * t.b[i] + t.c[i]);
        if (std::isnan(expected) ? !std::isnan(results[i])
                                 : bits_of(results[i]) != bits_of(expected)) {
            if (++wrong == 1)
                std::cout << std::hexfloat << t.a[i] << " * " << t.b[i] << " + " << t.c[i] << " = "
                          << expected << ", not " << results[i] << std::defaultfloat << "\n";
        }
        twice += !std::isnan(expected) && bits_of(rounded_twice) != bits_of(expected);
    }
    // A check whose numbers need no care would pass whatever was computed.
    const bool passed = wrong == 0 && (twice > 0) == twice_is_wrong;
    std::cout << (passed ? "ok    " : "FAIL  ") << name << ": " << results.size() << " sums, "
              << wrong << " wrong (" << twice << " by two roundings)\n";
    failures += !passed;
}

std::uint64_t word(std::uint64_t stream, long i) {
    return ffgan::counter_random(7, stream, static_cast<std::uint64_t>(i));
}

// With an exponent around `exponent`.
float random_float(std::uint64_t bits, int exponent, int spread) {
    const int e = exponent + static_cast<int>((bits >> 32) % static_cast<std::uint64_t>(spread));
    return std::ldexp(static_cast<float>((bits & 0xffffff) | 0x800000) *
                          ((bits >> 31 & 1) ? -1.0f : 1.0f),
                      e - 23);
}

constexpr long many = 400003; // no multiple of a vector

} // namespace

int main() {
    triples similar, any, middle, subnormal, special;
    for (long i = 0; i < many; ++i) {
        similar.add(random_float(word(0, i), -4, 8), random_float(word(1, i), -4, 8),
                    random_float(word(2, i), -4, 8));
        any.add(float_of(static_cast<std::uint32_t>(word(3, i))),
                float_of(static_cast<std::uint32_t>(word(4, i))),
                float_of(static_cast<std::uint32_t>(word(5, i))));
    }
    check("random numbers of similar size", similar, false);
    check("random bits", any, false);

    // c is in the middle between two floats of its neighbourhood together with half of the product,
    // whose other half, far below, decides.
    for (long i = 0; i < many; ++i) {
        const std::uint64_t bits = word(6, i);
        const float c = random_float(bits, -3, 6);
        const int ulp = std::ilogb(c) - 23;
        // (1 + 2^-k) 2^(ulp - 1), a little more or less than half a unit of c's last place.
        const int k = 1 + static_cast<int>(bits >> 40) % 23;
        const float a = 1.0f + std::ldexp(1.0f, -k) * ((bits >> 39 & 1) ? 1.0f : -0.5f);
        const int share = static_cast<int>(bits >> 50) % 24;
        const float b =
            std::ldexp(1.0f + std::ldexp((bits >> 38 & 1) ? 1.0f : -0.5f, -share), ulp - 1);
        middle.add(a, b, c);
    }
    // 1 + 2^-24 + 2^-60 or - 2^-60: a double keeps neither of the last.
    for (const float sign : {1.0f, -1.0f}) {
        const float tiny = std::ldexp(1.0f, -22);
        middle.add(1.0f + tiny, std::ldexp(1.0f - tiny, -24) * sign, 1.0f);
        middle.add(1.0f - tiny / 2, std::ldexp(1.0f + tiny / 2, -24) * sign, 1.0f);
    }
    for (long i = 0; i < many; ++i) {
        // a b = 2^(e - 24) (1 - 2^-2m), next to the middle above or below a float c of exponent e.
        const std::uint64_t bits = word(8, i);
        const float c = random_float(bits, -3, 6);
        const float delta = std::ldexp(1.0f, -15 - static_cast<int>(bits >> 50) % 8);
        const float sign = (bits >> 49 & 1) ? 1.0f : -1.0f;
        middle.add(1.0f + delta, std::ldexp(sign * (1.0f - delta), std::ilogb(c) - 24), c);
    }
    check("next to the middle between two floats", middle, true);

    for (long i = 0; i < many; ++i) {
        const std::uint64_t bits = word(9, i);
        subnormal.add(random_float(bits, -80, 20), random_float(word(10, i), -80, 20),
                      float_of(static_cast<std::uint32_t>(word(11, i)) & 0x80ffffff));
        const float c = float_of(static_cast<std::uint32_t>(word(12, i)) & 0x807fffff);
        const float delta = std::ldexp(1.0f, -15 - static_cast<int>(bits >> 50) % 8);
        subnormal.add(std::ldexp(1.0f + delta, -70), std::ldexp(1.0f - delta, -80), c);
    }
    check("subnormal numbers", subnormal, true);

    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> odd = {0.0f,
                                    -0.0f,
                                    1.0f,
                                    -1.0f,
                                    infinity,
                                    -infinity,
                                    std::numeric_limits<float>::quiet_NaN(),
                                    std::numeric_limits<float>::max(),
                                    -std::numeric_limits<float>::max(),
                                    std::numeric_limits<float>::min(),
                                    std::numeric_limits<float>::denorm_min(),
                                    -std::numeric_limits<float>::denorm_min(),
                                    1.0f + std::numeric_limits<float>::epsilon()};
    for (const float a : odd)
        for (const float b : odd)
            for (const float c : odd)
                special.add(a, b, c);
    check("zeros, infinities, NaN, the largest and smallest", special, false);

    std::cout << (failures == 0 ? "all checks passed\n" : "failed\n");
    return failures == 0 ? 0 : 1;
}
