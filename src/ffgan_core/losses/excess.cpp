// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/excess.h"

namespace ffgan {
namespace {

class excess_loss final : public generator_loss {
  public:
    explicit excess_loss(image_statistic statistic) : statistic_(statistic) {}

    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        const double wanted = statistic_(inputs.real.planes(), nullptr, inputs.all);
        const double excess = statistic_(inputs.fakes, &gradient, inputs.all) - wanted;
        if (!(excess > 0))
            gradient.set_size(0, 0, 0, 0);
        return inputs.all.once(excess);
    }

  private:
    image_statistic statistic_;
};

} // namespace

std::unique_ptr<generator_loss> make_excess_loss(image_statistic statistic) {
    return std::make_unique<excess_loss>(statistic);
}

} // namespace ffgan
