// SPDX-License-Identifier: GPL-3.0-or-later
#include "bindings/arrays.h"
#include "faces/chips.h"
#include "faces/clusters.h"
#include "faces/detector.h"
#include "faces/face_cnn.h"
#include "faces/landmarks.h"
#include "pretrained/face_classifier.h"
#include "pretrained/face_embedding.h"

#include <algorithm>
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

template <typename detector>
py::list detect(const detector& self, const std::vector<array<std::uint8_t>>& images,
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

array<double> locate(const face_landmarks& self, const array<std::uint8_t>& image,
                     const array<double>& given) {
    const rgb_view view = to_view(image);
    const py::ssize_t count = samples(given, {4}, "boxes");
    std::vector<exact_box> boxes;
    for (py::ssize_t i = 0; i < count; ++i) {
        const double* box = given.data(i);
        boxes.push_back({box[0], box[1], box[2], box[3]});
        if (!(std::isfinite(box[0] + box[1] + box[2] + box[3]) && box[0] < box[2] &&
              box[1] < box[3]))
            throw std::invalid_argument("a box has no pixel");
    }
    array<double> points({count, static_cast<py::ssize_t>(self.count()), py::ssize_t{2}});
    double* out = points.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    for (const exact_position& point : self.locate(view, boxes)) {
        *out++ = point.x;
        *out++ = point.y;
    }
    return points;
}

array<double> squares(const array<std::int64_t>& points, long size, double padding) {
    if (points.ndim() != 3 || points.shape(2) != 2)
        throw std::invalid_argument("points has not the shape (k, points, 2)");
    std::vector<pixel_position> places;
    for (py::ssize_t i = 0; i < points.shape(0) * points.shape(1); ++i)
        places.push_back({points.data()[2 * i], points.data()[2 * i + 1]});
    array<double> result({points.shape(0), py::ssize_t{4}});
    double* out = result.mutable_data();
    for (const chip_square& square :
         chip_squares(places, static_cast<long>(points.shape(1)), size, padding))
        for (const double value : {square.x, square.y, square.side, square.angle})
            *out++ = value;
    return result;
}

array<std::uint8_t> cut(const array<std::uint8_t>& image, const array<double>& given, long size) {
    const rgb_view view = to_view(image);
    const py::ssize_t count = samples(given, {4}, "squares");
    if (size < 1 || size > 4096) // checked before it is allocated
        throw std::invalid_argument("the size of a chip is not from 1 to 4096");
    std::vector<chip_square> places;
    for (py::ssize_t i = 0; i < count; ++i) {
        const double* square = given.data(i);
        places.push_back({square[0], square[1], square[2], square[3]});
        if (!std::isfinite(square[0] + square[1] + square[2] + square[3]) || square[2] <= 0)
            throw std::invalid_argument("a square has no side");
    }
    array<std::uint8_t> result(
        {count, static_cast<py::ssize_t>(size), static_cast<py::ssize_t>(size), py::ssize_t{3}});
    std::uint8_t* out = result.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    cut_chips(view, places, size, out);
    return result;
}

array<std::int64_t> cluster(long count, const array<std::int64_t>& given) {
    const py::ssize_t edges = samples(given, {2}, "pairs");
    std::vector<std::pair<long, long>> pairs;
    for (py::ssize_t i = 0; i < edges; ++i) {
        pairs.emplace_back(given.data(i)[0], given.data(i)[1]);
        if (std::min(pairs.back().first, pairs.back().second) < 0 ||
            std::max(pairs.back().first, pairs.back().second) >= count)
            throw std::invalid_argument("a pair names a face that is not there");
    }
    array<std::int64_t> labels(static_cast<py::ssize_t>(count));
    std::int64_t* out = labels.mutable_data();
    py::gil_scoped_release release; // the array is held by this frame
    const std::vector<long> found = cluster_faces(count, pairs);
    std::copy(found.begin(), found.end(), out);
    return labels;
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

array<float> probabilities(const face_classifier& self, const array<std::uint8_t>& images) {
    const py::ssize_t count = samples(images, {self.side(), self.side(), 3}, "images");
    array<float> result({count, static_cast<py::ssize_t>(self.classes())});
    const std::uint8_t* in = images.data();
    float* out = result.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.probabilities(in, count, out);
    return result;
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
        .def("detect", &detect<face_detector>, py::arg("images").noconvert(), "upsamplings"_a = 0,
             "threshold"_a = 0.0,
             "images, each (rows, columns, 3) uint8 RGB -> for each (k, 5) float64: left, top, "
             "right, bottom, confidence; best first.");

    py::class_<cnn_face_detector>(m, "CnnFaceDetector",
                                  "dlib's detector that is a network; safe to share. Its file must "
                                  "be trusted.")
        .def(py::init(&from_file<cnn_face_detector>), "path"_a)
        .def("detect", &detect<cnn_face_detector>, py::arg("images").noconvert(),
             "upsamplings"_a = 0, "threshold"_a = 0.0, "As FaceDetector.detect.");

    py::class_<face_landmarks>(m, "FaceLandmarks",
                               "dlib's shape predictor for faces; safe to share. Its file must be "
                               "trusted.")
        .def(py::init(&from_file<face_landmarks>), "path"_a)
        .def_property_readonly("count", &face_landmarks::count)
        .def(
            "find", &find, py::arg("image").noconvert(), py::arg("boxes").noconvert(),
            "image (rows, columns, 3) uint8 RGB, boxes (k, 4) int64 -> points (k, count, 2) int64: "
            "column, row.")
        .def("locate", &locate, py::arg("image").noconvert(), py::arg("boxes").noconvert(),
             "As find, for boxes (k, 4) float64 to the middles of the outermost pixels: points (k, "
             "count, 2) float64, with fractions of pixels.");

    m.def("face_squares", &squares, py::arg("points").noconvert(), "size"_a, "padding"_a,
          "points (k, 5 or 68, 2) int64 -> where dlib cuts out each face (k, 4) float64: column "
          "and row of the centre, side in pixels, radians turned clockwise.");
    m.def("cut_faces", &cut, py::arg("image").noconvert(), py::arg("squares").noconvert(), "size"_a,
          "image (rows, columns, 3) uint8 RGB, squares (k, 4) float64 -> chips (k, size, size, 3) "
          "uint8 RGB.");
    m.def("cluster_faces", &cluster, "count"_a, py::arg("pairs").noconvert(),
          "pairs (n, 2) int64 of faces that look like one person -> a cluster for each of count "
          "faces, (count,) int64.");

    py::class_<face_embedder>(m, "FaceEmbedder",
                              "dlib's face recognition network; safe to share. Its file must be "
                              "trusted.")
        .def(py::init(&from_file<face_embedder>), "path"_a)
        .def("embed", &embed, py::arg("images").noconvert(),
             "aligned faces (n, 150, 150, 3) uint8 RGB -> embeddings (n, 128) float32.");

    py::class_<face_classifier>(m, "FaceClassifier",
                                "The age or the gender network of Cydral Technology; safe to "
                                "share.")
        .def(py::init([](const std::string& network, const py::dict& weights) {
                 return std::make_unique<face_classifier>(network, to_named_tensors(weights));
             }),
             "network"_a, "weights"_a)
        .def_property_readonly("side", &face_classifier::side)
        .def_property_readonly("classes", &face_classifier::classes)
        .def("probabilities", &probabilities, py::arg("images").noconvert(),
             "aligned faces (n, side, side, 3) uint8 RGB -> (n, classes) float32.");
}

} // namespace ffgan::bindings
