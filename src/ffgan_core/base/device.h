// SPDX-License-Identifier: GPL-3.0-or-later
//
// The GPU of a build with CUDA. CUDA cannot be used in a process forked from one that has used it,
// and dlib tells every error of CUDA as the call that failed; here the first becomes an error
// before anything is touched, and the second a line that a user can act on.

#pragma once

#include <stdexcept>
#include <string>

namespace ffgan {

class device_error : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// To be called before something is computed on the device. Throws device_error in a process forked
// from one that has called it, and dlib::cuda_error where there is no device. Does nothing in a
// build without CUDA.
void need_device();

// One line that says what an error of dlib's, "Error while calling CALL in file FILE:LINE. code:
// NUMBER, reason: REASON", means, and the way out.
std::string explain_device_error(const std::string& error);

} // namespace ffgan
