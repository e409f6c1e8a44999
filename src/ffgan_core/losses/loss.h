// SPDX-License-Identifier: GPL-3.0-or-later
//
// A loss that G's images have beside the adversarial one. Each is a file of its own, which ends
// with its description, and a line in all.cpp: its setting, its measure in train.jsonl and its
// chart in the report follow from these.

#pragma once

#include "base/named_tensor.h"
#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ffgan {

// The real images of a step as planes from 0 to 1, converted when they are first asked for.
class real_planes {
  public:
    // pixels: count x 162 x 162 x 3, which must live as long as planes may be asked for.
    void set(const std::uint8_t* pixels, long count);
    const dlib::tensor& planes();

  private:
    const std::uint8_t* pixels_ = nullptr;
    long count_ = 0;
    bool converted_ = false;
    dlib::resizable_tensor planes_;
};

struct loss_inputs {
    const dlib::tensor& fakes; // n x 3 x 162 x 162 from 0 to 1, this rank's
    real_planes& real;         // as many, of the same shape
    long anchored;     // so many of the first fakes are made from the first real ones' codes
    std::uint64_t key; // of this step's random numbers
    const ranks& all;
    long whole; // the images of all ranks, of which `anchored` are the first ones
};

class generator_loss {
  public:
    virtual ~generator_loss() = default;

    // The measure of the whole batch, before its weight: this rank's part of it, which add up.
    // `gradient` receives its derivative with respect to the fakes, or to the first of them, n x 3
    // x 162 x 162; it stays empty where there is none.
    virtual double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) = 0;

    // What it remembers from step to step, if anything, under names that begin with the prefix.
    virtual void add_state(const std::string& prefix, named_tensors& state) const;
    // Throws std::invalid_argument where something is missing or has another size. A run can take a
    // loss up in its midst: the state may have nothing of it.
    virtual void load_state(const std::string& prefix, const named_tensors& state);
};

// What losses can be told beside their weights.
struct loss_options {
    int anchor_skip = 0; // so many of the pyramid's finest levels are left to D
};

struct loss_description {
    const char* name;    // its weight is the setting <name>_weight
    const char* measure; // its name in train.jsonl
    const char* help;    // of the setting, one line
    const char* title;   // of the measure's chart
    const char* unit;    // what the chart's numbers are
    std::unique_ptr<generator_loss> (*make)(const loss_options&);
    bool always_measured = false; // without a weight the measure is 0, not absent

    std::string setting() const { return std::string(name) + "_weight"; }
};

// For descriptions of losses that are told nothing.
template <typename loss> std::unique_ptr<generator_loss> make_loss(const loss_options&) {
    return std::make_unique<loss>();
}

// All that there are, in the order in which their gradients are added.
const std::vector<loss_description>& generator_losses();

} // namespace ffgan
