// SPDX-License-Identifier: GPL-3.0-or-later
//
// What any dlib program can do with an exported model: load it with dlib alone, make faces of the
// given noise and score them.

#include <exception>
#include <iostream>

#include "original_networks.h"

namespace {

int run(const std::vector<std::string>& arguments) {
    if (arguments.size() != 4) {
        std::cerr << "usage: load_exported MODEL NOISE PIXELS SCORES\n";
        return 2;
    }
    generator_type generator;
    discriminator_type trained;
    dlib::deserialize(arguments[0]) >> generator >> trained;
    discriminator_test_type discriminator = trained;
    write_faces(generator, discriminator, read_noises(arguments[1]), arguments[2], arguments[3]);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "load_exported: " << error.what() << '\n';
        return 1;
    }
}
