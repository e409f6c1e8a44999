// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/device.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#ifdef DLIB_USE_CUDA
#include <dlib/cuda/cuda_dlib.h>

#include <atomic>
#include <unistd.h>
#endif

namespace ffgan {
namespace {

#ifdef DLIB_USE_CUDA
std::atomic<pid_t> process_with_device{0};

bool was_forked() {
    const pid_t process = process_with_device;
    return process != 0 && process != getpid();
}
#else
bool was_forked() { return false; }
#endif

const char* const forked =
    "this process was forked from one that has used the GPU, and CUDA cannot be used in both: "
    "start it in another way, such as multiprocessing's 'spawn'";

// The part of the text between two others, or nothing.
std::string between(const std::string& text, const std::string& before, const std::string& after) {
    const std::size_t found = text.find(before);
    if (found == std::string::npos)
        return {};
    const std::size_t begin = found + before.size();
    return text.substr(begin, text.find(after, begin) - begin);
}

// CUDA's numbers of errors that say that no device can be used, from a driver that is too old or is
// missing to a device that is not ready.
constexpr int without_device[] = {34, 35, 36, 46, 100, 101, 802, 803, 804};

// CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED of cuDNN 9, for which dlib has no text.
constexpr int cudnn_device_memory = 4004;

} // namespace

void need_device() {
#ifdef DLIB_USE_CUDA
    if (was_forked())
        throw device_error(forked);
    if (process_with_device == 0) {
        dlib::cuda::get_num_devices(); // throws where there is none
        process_with_device = getpid();
    }
#endif
}

std::string explain_device_error(const std::string& error) {
    if (was_forked())
        return forked;
    const std::string call = between(error, "Error while calling ", "(");
    const std::string reason = between(error, "reason: ", "\n");
    const int code = std::atoi(between(error, "code: ", ",").c_str());
    const auto says = [&](const char* text) { return reason.find(text) != std::string::npos; };
    if (says("out of memory") || says("could not be allocated") || code == cudnn_device_memory)
        return call == "cudaMallocHost"
                   ? "the memory that the GPU reads from the host is full (cudaMallocHost): use a "
                     "smaller batch, or end other programs"
                   : "the GPU's memory is full (" + call +
                         "): use a smaller batch, or end what else uses the GPU (see nvidia-smi)";
    if (call.rfind("cuda", 0) == 0 &&
        std::find(std::begin(without_device), std::end(without_device), code) !=
            std::end(without_device))
        return "this build of ffgan computes on an NVIDIA GPU, and CUDA can use none (" + reason +
               "): build ffgan for the CPU, pip install . "
               "--config-settings=cmake.define.FFGAN_CUDA=OFF";
    return "the GPU failed: " + (reason.empty() ? error : reason + " (" + call + ")") +
           ": start the program anew; nvidia-smi tells whether the GPU is well";
}

} // namespace ffgan
