// SPDX-License-Identifier: GPL-3.0-or-later
#include "networks/feature_heads.h"

#include "networks/dlib_network.h"

#include <stdexcept>
#include <string>
#include <type_traits>

namespace ffgan {
namespace {

template <long filters, long kernel, int stride, int padding, typename subnet>
using step_down = leaky_relu<conp<filters, kernel, stride, padding, subnet>>;

// Convolutions that halve the side until 3 to 5 are left; small features get one that does not.
template <typename features>
using head_of_large =
    dlib::fc<1, step_down<128, 4, 2, 1, step_down<128, 4, 2, 1, step_down<64, 4, 2, 1, features>>>>;

template <typename features>
using head_of_middling = dlib::fc<1, step_down<128, 4, 2, 1, step_down<128, 4, 2, 1, features>>>;

template <typename features>
using head_of_small = dlib::fc<1, step_down<128, 4, 2, 1, step_down<128, 3, 1, 1, features>>>;

template <typename features>
using head_of_smallest = dlib::fc<1, step_down<128, 4, 2, 1, step_down<128, 1, 1, 0, features>>>;

template <long channels, long side, typename features = tensor_input<channels, side, side>>
using feature_head =
    std::conditional_t<(side >= 32), head_of_large<features>,
                       std::conditional_t<(side >= 16), head_of_middling<features>,
                                          std::conditional_t<(side >= 8), head_of_small<features>,
                                                             head_of_smallest<features>>>>;

struct row {
    long channels, side;
    std::unique_ptr<network> (*make)();
};

template <long channels, long side> constexpr row head_for() {
    return {channels, side, []() -> std::unique_ptr<network> {
                return std::make_unique<detail::dlib_network<feature_head<channels, side>>>();
            }};
}

// A further frozen network: a row for each of its scales.
constexpr row heads[] = {
    head_for<32, 38>(),                                           // face_features.h
    head_for<64, 19>(),  head_for<128, 9>(),  head_for<24, 41>(), // imagenet_features.h
    head_for<40, 21>(),  head_for<112, 11>(), head_for<320, 6>(),
    head_for<24, 56>(),  head_for<40, 28>(), // of enlarged images
    head_for<112, 14>(), head_for<320, 7>(),
};

} // namespace

std::unique_ptr<network> make_feature_head(const feature_shape& features) {
    for (const row& head : heads)
        if (head.channels == features.channels && head.side == features.side)
            return head.make();
    const std::string side = std::to_string(features.side);
    throw std::invalid_argument("there is no head for features of " + side + "x" + side + "x" +
                                std::to_string(features.channels));
}

} // namespace ffgan
