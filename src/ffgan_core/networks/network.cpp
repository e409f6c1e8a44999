// SPDX-License-Identifier: GPL-3.0-or-later
#include "networks/network.h"

#include "base/device.h"
#include "networks/architecture.h"
#include "networks/dlib_network.h"
#include "networks/fold.h"

#include <stdexcept>

namespace ffgan {

using detail::dlib_network;

std::unique_ptr<network> make_network(const std::string& name) {
    need_device();
    if (name == "generator")
        return std::make_unique<dlib_network<generator_network>>();
    if (name == "program")
        return std::make_unique<dlib_network<program_network>>();
    if (name == "table")
        return std::make_unique<dlib_network<table_network>>();
    throw std::invalid_argument("there is no network '" + name +
                                "': choose generator, program or table");
}

std::unique_ptr<network> make_inference_network(const std::string& name,
                                                const named_tensors& parameters, float dropout) {
    if (!(dropout >= 0 && dropout < 1))
        throw std::invalid_argument("dropout is not in [0, 1)");
    check_parameters(name, parameters);
    need_device();
    std::unique_ptr<network> net;
    if (name == "generator") {
        net = std::make_unique<dlib_network<folded_generator_network>>();
        net->set_parameters(fold_norms(name, parameters, 1.0f));
    } else if (name == "program") {
        net = std::make_unique<dlib_network<folded_program_network>>();
        net->set_parameters(fold_norms(name, parameters, 1.0f - dropout));
    } else {
        net = make_network(name);
        net->set_parameters(parameters);
        net->set_dropout(dropout);
    }
    net->set_mode(mode::inference);
    return net;
}

} // namespace ffgan
