// SPDX-License-Identifier: GPL-3.0-or-later
//
// libFuzzer's target for the reader of `.dnn` files. A model's file is 20 MB of numbers with 5 KB
// of structure between them, so inputs are short: 0xFE 'Z' and a count of 16 bits stand for that
// many numbers, all 0, and everything else for itself. tests/fuzz/dnn_files.py makes the first
// ones.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "serialization/dnn_file.h"

namespace {

constexpr std::size_t longest = 1 << 20;

std::vector<char> expanded(const std::uint8_t* data, std::size_t size) {
    std::vector<char> file;
    for (std::size_t i = 0; i < size;) {
        if (size - i >= 4 && data[i] == 0xFE && data[i + 1] == 'Z') {
            file.resize(file.size() + 4 * (data[i + 2] + 256U * data[i + 3]));
            i += 4;
        } else {
            file.push_back(static_cast<char>(data[i++]));
        }
    }
    return file;
}

int descriptor = -1;

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    descriptor = memfd_create("dnn", 0);
    // The reader compares with networks that dlib makes: now, not within the first input's limits.
    try {
        ffgan::write_dnn("/dev/null", ffgan::dnn_model{{}, {}, 0});
    } catch (const std::invalid_argument&) {
        return 0;
    }
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<char> file = expanded(data, size);
    if (file.size() > longest)
        return -1;
    if (ftruncate(descriptor, 0) != 0 ||
        pwrite(descriptor, file.data(), file.size(), 0) != static_cast<ssize_t>(file.size()))
        std::abort();
    try {
        ffgan::read_dnn("/proc/self/fd/" + std::to_string(descriptor));
    } catch (const std::runtime_error&) {
        // The one kind of error that the header promises.
    }
    return 0;
}
