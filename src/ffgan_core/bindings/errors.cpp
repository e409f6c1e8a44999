// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/device.h"
#include "bindings/arrays.h"
#include "dispatch/instruction_set.h"

#include <dlib/cuda/cuda_errors.h>

#include <exception>

namespace py = pybind11;

namespace ffgan::bindings {
namespace {

void raise(const char* name, const std::string& message) {
    // Where users look for it; imported by the time that anything can fail.
    const py::object type = py::module_::import("ffgan.errors").attr(name);
    py::set_error(type, message.c_str());
}

void raise_device_error(const std::string& message) { raise("DeviceError", message); }

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
        } catch (const instruction_set_error& e) {
            raise("InstructionSetError", e.what());
        }
    });
}

} // namespace ffgan::bindings
