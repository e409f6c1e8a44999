// SPDX-License-Identifier: GPL-3.0-or-later
//
// The list of the losses: one line each.

#include "losses/loss.h"

#define FFGAN_GENERATOR_LOSSES(X)                                                                  \
    X(texture)                                                                                     \
    X(chroma)                                                                                      \
    X(grid)                                                                                        \
    X(border)                                                                                      \
    X(spectrum)                                                                                    \
    X(anchor)                                                                                      \
    X(total_variation)                                                                             \
    /* a further one comes here */

namespace ffgan {

#define FFGAN_DECLARE(name) loss_description name##_loss();
FFGAN_GENERATOR_LOSSES(FFGAN_DECLARE)

const std::vector<loss_description>& generator_losses() {
#define FFGAN_DESCRIBE(name) name##_loss(),
    static const std::vector<loss_description> all{FFGAN_GENERATOR_LOSSES(FFGAN_DESCRIBE)};
    return all;
}

} // namespace ffgan
