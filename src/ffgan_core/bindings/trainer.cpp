// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/trainer.h"

#include "bindings/arrays.h"
#include "bindings/python_communicator.h"
#include "losses/loss.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

// ---- Settings by name ---------------------------------------------------------------------------

constexpr std::array all_losses{adversarial_loss::logistic, adversarial_loss::hinge,
                                adversarial_loss::relativistic};

constexpr std::array<std::pair<const char*, norm_statistics>, 2> all_norms{
    {{"batch", norm_statistics::batch}, {"fixed", norm_statistics::fixed}}};

[[noreturn]] void refuse(const std::string& name, const std::string& value) {
    throw std::invalid_argument(name + " cannot be '" + value + "'");
}

[[noreturn]] void refuse_type(const std::string& name, const char* wanted, py::handle value) {
    throw py::type_error(name + " must be " + wanted + ", not " + Py_TYPE(value.ptr())->tp_name);
}

template <typename T>
T cast(const std::string& name, const char* wanted, py::handle value, bool convert) {
    py::detail::make_caster<T> caster;
    if (!caster.load(value, convert))
        refuse_type(name, wanted, value);
    return py::detail::cast_op<T>(caster);
}

void read(const std::string& name, py::handle value, std::string& setting) {
    setting = cast<std::string>(name, "str", value, false);
}
void read(const std::string& name, py::handle value, bool& setting) {
    setting = cast<bool>(name, "bool", value, false);
}
void read(const std::string& name, py::handle value, double& setting) {
    setting = cast<double>(name, "float", value, true);
}
template <typename T>
std::enable_if_t<std::is_integral_v<T>> read(const std::string& name, py::handle value,
                                             T& setting) {
    setting = cast<T>(name, std::is_signed_v<T> ? "int" : "int of 0 or more", value, true);
}
void read(const std::string& name, py::handle value, adversarial_loss& setting) {
    const auto wanted = cast<std::string>(name, "str", value, false);
    for (const adversarial_loss loss : all_losses)
        if (wanted == to_string(loss)) {
            setting = loss;
            return;
        }
    refuse(name, wanted);
}
void read(const std::string& name, py::handle value, norm_statistics& setting) {
    const auto wanted = cast<std::string>(name, "str", value, false);
    for (const auto& [norm, statistics] : all_norms)
        if (wanted == norm) {
            setting = statistics;
            return;
        }
    refuse(name, wanted);
}
void read(const std::string& name, py::handle value, named_tensors& setting) {
    if (!py::isinstance<py::dict>(value))
        refuse_type(name, "a dict of arrays", value);
    setting = to_named_tensors(py::reinterpret_borrow<py::dict>(value));
}

const char* shown(adversarial_loss loss) { return to_string(loss); }
const char* shown(norm_statistics statistics) {
    return all_norms[static_cast<std::size_t>(statistics)].first;
}
py::dict shown(const named_tensors& tensors) { return to_dict(tensors); }
template <typename T> const T& shown(const T& value) { return value; }

void read_setting(const std::string& name, py::handle value, trainer_settings& settings) {
#define FFGAN_READ(type, known, standard, range)                                                   \
    if (name == #known)                                                                            \
        return read(name, value, settings.known);
    FFGAN_TRAINER_SETTINGS(FFGAN_READ)
#undef FFGAN_READ
    for (const loss_description& loss : generator_losses())
        if (name == loss.setting())
            return read(name, value, settings.loss_weights[loss.name]);
    throw py::type_error("Trainer has no setting '" + name + "'");
}

// A trainer with what it speaks to the others by.
struct communicator_of {
    std::unique_ptr<python_communicator> others;
    ranks all() const { return others ? ranks(*others) : ranks(); }
};
class bound_trainer final : private communicator_of, public trainer {
  public:
    bound_trainer(const trainer_settings& settings, communicator_of others)
        : communicator_of(std::move(others)), trainer(settings, communicator_of::all()) {}
    using trainer::all;
};

std::unique_ptr<trainer> make_trainer(const py::object& communicator, const py::kwargs& given) {
    trainer_settings settings;
    communicator_of others;
    if (!communicator.is_none())
        others.others = std::make_unique<python_communicator>(communicator);
    for (const auto& [name, value] : given)
        read_setting(py::cast<std::string>(name), value, settings);
    py::gil_scoped_release release; // sets up three networks, no Python object in it
    return std::make_unique<bound_trainer>(settings, std::move(others));
}

py::dict default_settings() {
    const trainer_settings defaults;
    py::dict result;
#define FFGAN_SHOW(type, name, standard, range) result[#name] = shown(defaults.name);
    FFGAN_TRAINER_SETTINGS(FFGAN_SHOW)
#undef FFGAN_SHOW
    for (const loss_description& loss : generator_losses())
        result[py::str(loss.setting())] = 0.0;
    return result;
}

py::list losses() {
    py::list result;
    for (const loss_description& loss : generator_losses())
        result.append(py::dict("name"_a = loss.name, "setting"_a = loss.setting(),
                               "measure"_a = loss.measure, "default"_a = 0.0, "help"_a = loss.help,
                               "title"_a = loss.title, "unit"_a = loss.unit));
    return result;
}

py::dict norms_of_losses() {
    py::dict result;
    for (const adversarial_loss loss : all_losses) {
        py::list norms;
        if (allows_batch_norm(loss))
            norms.append(shown(norm_statistics::batch));
        if (allows_fixed_norm(loss))
            norms.append(shown(norm_statistics::fixed));
        result[to_string(loss)] = py::tuple(norms);
    }
    return result;
}

// ---- Steps --------------------------------------------------------------------------------------

void check_equal(py::ssize_t one, py::ssize_t other, const char* message) {
    if (one != other)
        throw std::invalid_argument(message);
}

// The images of all ranks, of which this one has `count`.
long whole_of(const trainer& self, py::ssize_t count, const std::optional<long>& given) {
    const long whole = given.value_or(static_cast<long>(count) * self.all().count());
    if (self.all().own(whole) != count)
        throw std::invalid_argument("rank " + std::to_string(self.all().number()) + " has " +
                                    std::to_string(self.all().own(whole)) + " of " +
                                    std::to_string(whole) + " images, not " +
                                    std::to_string(count));
    return whole;
}

py::dict step(trainer& self, const array<std::uint8_t>& real, const array<float>& latents,
              bool update_generator, long anchored, const std::optional<long>& of) {
    const py::ssize_t count = samples(real, image_shape, "real");
    const long whole = whole_of(self, count, of);
    check_equal(samples(latents, latent_shape, "latents"), count,
                "real and latents differ in number");
    const std::uint8_t* images = real.data();
    const float* noise = latents.data();
    measures measured;
    {
        py::gil_scoped_release release; // the arrays are held by the caller's frame
        measured = self.step(images, noise, whole, update_generator, anchored);
    }
    py::dict result;
    for (const auto& [name, value] : measured)
        result[py::str(name)] = value;
    return result;
}

double reconstruct(trainer& self, const array<float>& latents, const array<std::uint8_t>& images,
                   double learning_rate, const std::optional<long>& of) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    check_equal(samples(images, image_shape, "images"), count,
                "latents and images differ in number");
    const long whole = whole_of(self, count, of);
    const float* codes = latents.data();
    const std::uint8_t* pixels = images.data();
    py::gil_scoped_release release; // the arrays are held by the caller's frame
    return self.reconstruct(codes, pixels, whole, learning_rate);
}

void estimate_statistics(trainer& self, const array<float>& latents) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    const float* noise = latents.data();
    py::gil_scoped_release release; // the array is held by the caller's frame
    self.estimate_statistics(noise, count);
}

array<std::uint8_t> sample(trainer& self, const array<float>& latents, bool averaged) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    array<std::uint8_t> images({count, py::ssize_t{162}, py::ssize_t{162}, py::ssize_t{3}});
    const float* in = latents.data();
    std::uint8_t* out = images.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.sample(in, count, averaged, out);
    return images;
}

} // namespace

void register_trainer(py::module_& m) {
    m.def("trainer_settings", &default_settings,
          "The settings that Trainer takes, with their defaults.");
    m.def("generator_losses", &losses,
          "The losses of G that plug in, besides the adversarial one: for each a dict of its name, "
          "setting (<name>_weight), measure (in what Trainer.step returns), default, help, title "
          "and unit (of the measure's chart).");
    m.def("adversarial_losses", &norms_of_losses,
          "The adversarial losses, each with the discriminator norms that it goes with.");
    py::class_<trainer>(
        m, "Trainer",
        "Adversarial training, one step at a time. One thread at a time. With a `communicator` "
        "several processes share each step: an object with `rank`, `size`, `gather(own, all)` and "
        "`exchange(parts, received)`, where `all` receives the `own` of each rank, in their order, "
        "and `received` part `rank` of each rank's equally long `parts`. Rank r of R gives images "
        "r, r + R, r + 2 R ... of the `whole` ones of a step, and all have the same results.")
        .def(py::init(&make_trainer), py::kw_only(), "communicator"_a = py::none())
        .def("set_learning_rates", &trainer::set_learning_rates, "generator"_a, "discriminator"_a)
        .def("set_blur", &trainer::set_blur, "sigma"_a)
        .def("step", &step, py::arg("real").noconvert(), py::arg("latents").noconvert(),
             py::kw_only(), "update_generator"_a = true, "anchored"_a = 0, "whole"_a = py::none())
        .def("reconstruct", &reconstruct, py::arg("latents").noconvert(),
             py::arg("images").noconvert(), "learning_rate"_a, "whole"_a = py::none())
        .def("estimate_statistics", &estimate_statistics, py::arg("latents").noconvert())
        .def("sample", &sample, py::arg("latents").noconvert(), "averaged"_a = true)
        .def(
            "parameters",
            [](trainer& self, const std::string& network) {
                return to_dict(self.parameters(network));
            },
            "network"_a)
        .def(
            "gradients",
            [](trainer& self, const std::string& network) {
                return to_dict(self.gradients(network));
            },
            "network"_a)
        .def(
            "set_parameters",
            [](trainer& self, const std::string& network, const py::dict& parameters) {
                self.set_parameters(network, to_named_tensors(parameters));
            },
            "network"_a, "parameters"_a)
        .def("reset_discriminator", &trainer::reset_discriminator)
        .def_property_readonly("steps", &trainer::steps)
        .def("state", [](trainer& self) { return to_dict(self.state()); })
        .def(
            "load_state",
            [](trainer& self, const py::dict& state) { self.load_state(to_named_tensors(state)); },
            "state"_a);
}

} // namespace ffgan::bindings
