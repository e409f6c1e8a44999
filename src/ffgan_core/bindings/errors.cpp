// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/device.h"
#include "bindings/arrays.h"

#include <dlib/cuda/cuda_errors.h>

#include <exception>

namespace py = pybind11;

namespace ffgan::bindings {
namespace {

void raise_device_error(const std::string& message) {
    // Where users look for it; imported by the time that anything can fail.
    const py::object type = py::module_::import("ffgan.errors").attr("DeviceError");
    py::set_error(type, message.c_str());
}

} // namespace

void register_errors() {
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error)
                std::rethrow_exception(error);
        } catch (const device_error& e) {
            raise_device_error(e.what());
        } catch (const dlib::cuda_error& e) {
            raise_device_error(explain_device_error(e.what()));
        }
    });
}

} // namespace ffgan::bindings
