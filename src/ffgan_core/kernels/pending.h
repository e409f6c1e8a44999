// SPDX-License-Identifier: GPL-3.0-or-later
//
// The operations of a pending norm (layer_values.h) on eight channels of a pixel.

#pragma once

#include "kernels/layer_values.h"
#include "kernels/pointwise.h"

namespace ffgan::layers {

// With the parts that a loop should not ask for at each value.
template <bool Before, bool Normed, bool Masked> class pending_eights {
  public:
    explicit pending_eights(const pending_norm& pending) : p_(pending), mask_(bytes(pending)) {}

    float8 before(float8 x) const { return Before ? leaky8(x, x, p_.around.slope_before) : x; }
    float8 centred(float8 x, long channel) const {
        x = before(x);
        return Normed ? x - load8(p_.means + channel) : x;
    }
    float8 normed(float8 centred, long channel) const {
        return Normed ? near_multiply_add(centred, load8(p_.scales + channel),
                                          load8(p_.shifts + channel))
                      : centred;
    }
    // `index` is the place of the first of the eight in memory.
    float8 dropped(float8 v, long index) const {
        if (Masked)
            v = kept(mask_[index / 8], v);
        return v * p_.around.factor;
    }
    float8 operator()(float8 x, long channel, long index) const {
        const float8 v = normed(centred(x, channel), channel);
        return dropped(leaky8(v, v, p_.around.slope_after), index);
    }
    // The gradient of the norm's output, which is `normed`, from that of the whole.
    float8 of_norm(float8 g, float8 normed, long index) const {
        return leaky8(normed, dropped(g, index), p_.around.slope_after);
    }
    // The gradient of x from that of before(x).
    float8 through_before(float8 x, float8 g) const {
        return Before ? leaky8(x, g, p_.around.slope_before) : g;
    }

  private:
    static const std::uint8_t* bytes(const pending_norm& pending) {
        return reinterpret_cast<const std::uint8_t*>(pending.around.mask);
    }

    const pending_norm& p_;
    const std::uint8_t* mask_;
};

template <bool Before, bool Normed, class F>
void with_pending(const pending_norm& pending, const F& f) {
    if (pending.around.mask)
        f(pending_eights<Before, Normed, true>(pending));
    else
        f(pending_eights<Before, Normed, false>(pending));
}

// Calls f(pending_eights).
template <class F> void with_pending(const pending_norm& pending, const F& f) {
    if (pending.means == nullptr)
        with_pending<false, false>(pending, f);
    else if (pending.around.slope_before != 1)
        with_pending<true, true>(pending, f);
    else
        with_pending<false, true>(pending, f);
}

} // namespace ffgan::layers
