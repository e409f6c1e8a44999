// SPDX-License-Identifier: GPL-3.0-or-later
//
// A step of Adam reads and writes five numbers for each parameter, so it does that once.

#pragma once

namespace ffgan {

// Some parameters that lie side by side, and what belongs to them.
struct adam_piece {
    long size;
    float *values, *first, *second;
    const float* gradient;

    adam_piece part(long begin, long end) const {
        return {end - begin, values + begin, first + begin, second + begin, gradient + begin};
    }
};

// On the calling thread. rate: corrected for the bias of the moments.
void update_adam(const adam_piece& piece, float rate, float beta1, float beta2);

} // namespace ffgan
