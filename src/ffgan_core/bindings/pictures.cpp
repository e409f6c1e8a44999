// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/resize.h"
#include "bindings/arrays.h"

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

// Rows may lie apart, as those of a picture's middle do.
picture_rows rows_of(const py::array_t<std::uint8_t>& image) {
    if (image.ndim() != 3 || image.shape(2) != 3)
        throw std::invalid_argument("an image has not the shape (rows, columns, 3)");
    if (image.strides(2) != 1 || image.strides(1) != 3)
        throw std::invalid_argument("the pixels of a row of the image do not lie side by side");
    return {image.data(),
            {static_cast<long>(image.shape(0)), static_cast<long>(image.shape(1))},
            static_cast<long>(image.strides(0))};
}

template <typename value, void (*change)(const picture_rows&, picture_size, value*)>
array<value> changed(const py::array_t<std::uint8_t>& image, long rows, long columns) {
    const picture_rows given = rows_of(image);
    const picture_size size{rows, columns};
    check_resizing(given.size, size); // before anything is allocated
    array<value> result(
        {static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(columns), py::ssize_t{3}});
    value* out = result.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    change(given, size, out);
    return result;
}

} // namespace

void register_pictures(py::module_& m) {
    m.def("resize", &changed<std::uint8_t, resize>, py::arg("image").noconvert(), "rows"_a,
          "columns"_a,
          "image (h, w, 3) uint8 RGB -> (rows, columns, 3): areas averaged, cubic where it grows.");
    m.def("average_areas", &changed<float, average_areas>, py::arg("image").noconvert(), "rows"_a,
          "columns"_a, "A smaller image, float32 from 0 to 255: as by resize, and not rounded.");
}

} // namespace ffgan::bindings
