// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces.h"
#include "arrays.h"
#include "face_embedding.h"

#include <cmath>

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

rgb_view to_view(const array<std::uint8_t>& image) {
    if (image.ndim() != 3 || image.shape(2) != 3 || image.size() == 0)
        throw std::invalid_argument("an image has not the shape (rows, columns, 3)");
    return {image.data(), static_cast<long>(image.shape(0)), static_cast<long>(image.shape(1))};
}

std::vector<face_box> to_boxes(const array<std::int64_t>& given) {
    const py::ssize_t count = samples(given, {4}, "boxes");
    std::vector<face_box> boxes;
    for (py::ssize_t i = 0; i < count; ++i) {
        const std::int64_t* box = given.data(i);
        boxes.push_back({box[0], box[1], box[2], box[3], 0});
        if (box[0] >= box[2] || box[1] >= box[3])
            throw std::invalid_argument("a box has no pixel");
    }
    return boxes;
}

py::list detect(const face_detector& self, const std::vector<array<std::uint8_t>>& images,
                long upsamplings, double threshold) {
    if (std::isnan(threshold))
        throw std::invalid_argument("threshold is not a number");
    std::vector<rgb_view> views;
    for (const auto& image : images)
        views.push_back(to_view(image));
    std::vector<std::vector<face_box>> found;
    {
        py::gil_scoped_release release; // the arrays are held by this frame
        found = self.detect(views, upsamplings, threshold);
    }
    py::list result;
    for (const auto& boxes : found) {
        array<double> rows({static_cast<py::ssize_t>(boxes.size()), py::ssize_t{5}});
        double* out = rows.mutable_data();
        for (const face_box& box : boxes)
            for (const double value : {double(box.left), double(box.top), double(box.right),
                                       double(box.bottom), box.confidence})
                *out++ = value;
        result.append(rows);
    }
    return result;
}

array<std::int64_t> find(const face_landmarks& self, const array<std::uint8_t>& image,
                         const array<std::int64_t>& boxes) {
    const rgb_view view = to_view(image);
    const std::vector<face_box> places = to_boxes(boxes);
    array<std::int64_t> points(
        {boxes.shape(0), static_cast<py::ssize_t>(self.count()), py::ssize_t{2}});
    std::int64_t* out = points.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    for (const pixel_position& point : self.find(view, places)) {
        *out++ = point.x;
        *out++ = point.y;
    }
    return points;
}

array<std::uint8_t> chips(const face_landmarks& self, const array<std::uint8_t>& image,
                          const array<std::int64_t>& boxes, long size, double padding) {
    const rgb_view view = to_view(image);
    const std::vector<face_box> places = to_boxes(boxes);
    if (size < 1 || size > 4096) // checked before it is allocated
        throw std::invalid_argument("the size of a chip is not from 1 to 4096");
    array<std::uint8_t> result({boxes.shape(0), static_cast<py::ssize_t>(size),
                                static_cast<py::ssize_t>(size), py::ssize_t{3}});
    std::uint8_t* out = result.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.chips(view, places, size, padding, out);
    return result;
}

array<float> embed(const face_embedder& self, const array<std::uint8_t>& images) {
    const py::ssize_t count = samples(images, {face_chip_size, face_chip_size, 3}, "images");
    array<float> embeddings({count, static_cast<py::ssize_t>(face_embedding_size)});
    const std::uint8_t* in = images.data();
    float* out = embeddings.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.embed(in, count, out);
    return embeddings;
}

template <typename reader> std::unique_ptr<reader> from_file(const std::string& path) {
    py::gil_scoped_release release; // reads a file, no Python object in it
    return std::make_unique<reader>(path);
}

} // namespace

void register_faces(py::module_& m) {
    py::class_<face_detector>(m, "FaceDetector", "dlib's frontal face detector; safe to share.")
        .def(py::init([] {
            py::gil_scoped_release release; // unpacks the detector, no Python object in it
            return std::make_unique<face_detector>();
        }))
        .def("detect", &detect, py::arg("images").noconvert(), "upsamplings"_a = 0,
             "threshold"_a = 0.0,
             "images, each (rows, columns, 3) uint8 RGB -> for each (k, 5) float64: left, top, "
             "right, bottom, confidence; best first.");

    py::class_<face_landmarks>(m, "FaceLandmarks",
                               "dlib's shape predictor for faces; safe to share. Its file must be "
                               "trusted.")
        .def(py::init(&from_file<face_landmarks>), "path"_a)
        .def_property_readonly("count", &face_landmarks::count)
        .def(
            "find", &find, py::arg("image").noconvert(), py::arg("boxes").noconvert(),
            "image (rows, columns, 3) uint8 RGB, boxes (k, 4) int64 -> points (k, count, 2) int64: "
            "column, row.")
        .def("chips", &chips, py::arg("image").noconvert(), py::arg("boxes").noconvert(), "size"_a,
             "padding"_a,
             "image (rows, columns, 3) uint8 RGB, boxes (k, 4) int64 -> aligned faces (k, size, "
             "size, 3) uint8 RGB.");

    py::class_<face_embedder>(m, "FaceEmbedder",
                              "dlib's face recognition network; safe to share. Its file must be "
                              "trusted.")
        .def(py::init(&from_file<face_embedder>), "path"_a)
        .def("embed", &embed, py::arg("images").noconvert(),
             "aligned faces (n, 150, 150, 3) uint8 RGB -> embeddings (n, 128) float32.");
}

} // namespace ffgan::bindings
