// SPDX-License-Identifier: GPL-3.0-or-later
//
// In dlib's networks each layer adds to the gradient of the layer below, which dlib has zeroed:
// several layers may read one output. Ours are chains, where zeroing and adding are two passes over
// the memory for nothing. A subnet that has `gradient_to_overwrite` says so.

#pragma once

#include <dlib/cuda/tensor.h>

#include <type_traits>
#include <utility>

namespace ffgan::layers {

struct gradient_target {
    dlib::tensor& values;
    bool add; // else its values mean nothing yet
};

namespace detail {
template <typename Subnet, typename = void> struct is_overwritten : std::false_type {};
template <typename Subnet>
struct is_overwritten<Subnet,
                      std::void_t<decltype(std::declval<Subnet&>().gradient_to_overwrite())>>
    : std::true_type {};
} // namespace detail

// Where a layer on top of `sub` puts the gradient of its input.
template <typename Subnet> gradient_target gradient_of(Subnet& sub) {
    if constexpr (detail::is_overwritten<Subnet>::value)
        return {sub.gradient_to_overwrite(), false};
    else
        return {sub.get_gradient_input(), true};
}

} // namespace ffgan::layers
