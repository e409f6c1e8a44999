// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/shape_regression.h"

#include <dlib/image_processing.h>

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

void fetch_ahead(const float* values, std::size_t count) {
#if defined(__GNUC__)
    for (std::size_t i = 0; i < count; i += 16)
        __builtin_prefetch(values + i);
#else
    (void)values, (void)count;
#endif
}

void check(bool holds) {
    if (!holds)
        throw dlib::serialization_error("a shape predictor whose parts do not fit each other");
}

// As dlib's get_pixel_intensity.
int grey(const std::uint8_t* pixel) { return (pixel[0] + pixel[1] + pixel[2]) / 3; }

} // namespace

shape_regression::shape_regression(const std::string& path) {
    int version = 0;
    std::vector<std::vector<dlib::impl::regression_tree>> forests;
    std::vector<std::vector<unsigned long>> anchors;
    std::vector<std::vector<dlib::vector<float, 2>>> offsets;
    {
        dlib::proxy_deserialize file = dlib::deserialize(path);
        file >> version;
        if (version != 1)
            throw dlib::serialization_error("not a shape predictor of dlib");
        file >> initial_ >> forests >> anchors >> offsets;
    }
    const auto values = static_cast<std::size_t>(initial_.size());
    check(values > 0 && values % 2 == 0);
    check(anchors.size() == forests.size() && offsets.size() == forests.size());
    for (std::size_t i = 0; i < forests.size(); ++i) {
        const std::size_t pixels = offsets[i].size();
        check(anchors[i].size() == pixels && !forests[i].empty());
        cascade next;
        next.trees = forests[i].size();
        next.offsets = std::move(offsets[i]);
        for (const unsigned long anchor : anchors[i]) {
            check(anchor < values / 2);
            next.anchors.push_back(static_cast<std::uint32_t>(anchor));
        }
        const std::size_t nodes = forests[i][0].splits.size();
        check(((nodes + 1) & nodes) == 0); // every level is full
        next.splits.reserve(next.trees * nodes);
        next.leaves.reserve(next.trees * (nodes + 1) * values);
        for (auto& tree : forests[i]) {
            check(tree.splits.size() == nodes && tree.leaf_values.size() == nodes + 1);
            for (const auto& node : tree.splits) {
                check(node.idx1 < pixels && node.idx2 < pixels);
                next.splits.push_back({static_cast<std::uint32_t>(node.idx1),
                                       static_cast<std::uint32_t>(node.idx2), node.thresh});
            }
            for (const auto& leaf : tree.leaf_values) {
                check(static_cast<std::size_t>(leaf.size()) == values);
                next.leaves.insert(next.leaves.end(), leaf.begin(), leaf.end());
            }
            tree = {}; // a predictor takes 100 MB: not twice
        }
        cascades_.push_back(std::move(next));
    }
}

template <class place, class intensity>
shape_regression::shape shape_regression::regress(const place& to_image,
                                                  const intensity& at) const {
    const auto values = static_cast<std::size_t>(initial_.size());
    shape current = initial_;
    std::vector<float> pixels;
    std::vector<const float*> moves;
    for (const cascade& step : cascades_) {
        const dlib::matrix<float, 2, 2> turn = dlib::matrix_cast<float>(
            dlib::impl::find_tform_between_shapes(initial_, current).get_m());
        pixels.resize(step.offsets.size());
        for (std::size_t i = 0; i < pixels.size(); ++i)
            pixels[i] = at(
                to_image(turn * step.offsets[i] + dlib::impl::location(current, step.anchors[i])));
        const std::size_t nodes = step.splits.size() / step.trees;
        moves.clear();
        for (std::size_t tree = 0; tree < step.trees; ++tree) {
            const split* splits = step.splits.data() + tree * nodes;
            std::size_t i = 0;
            while (i < nodes)
                i = pixels[splits[i].first] - pixels[splits[i].second] > splits[i].threshold
                        ? 2 * i + 1
                        : 2 * i + 2;
            moves.push_back(step.leaves.data() + (tree * (nodes + 1) + i - nodes) * values);
            fetch_ahead(moves.back(), values);
        }
        float* sum = current.begin();
        for (const float* move : moves)
            for (std::size_t i = 0; i < values; ++i)
                sum[i] += move[i];
    }
    return current;
}

std::vector<dlib::point> shape_regression::find(const rgb_view& image,
                                                const dlib::rectangle& box) const {
    const auto to_image = dlib::impl::unnormalizing_tform(box);
    const dlib::rectangle area(0, 0, image.columns - 1, image.rows - 1);
    const shape found = regress(to_image, [&](const dlib::point& p) {
        const long place = (p.y() * image.columns + p.x()) * 3;
        return area.contains(p) ? static_cast<float>(grey(image.pixels + place)) : 0.0f;
    });
    std::vector<dlib::point> points;
    for (long i = 0; i < count(); ++i)
        points.emplace_back(to_image(dlib::impl::location(found, static_cast<unsigned long>(i))));
    return points;
}

std::vector<dlib::dpoint> shape_regression::locate(const rgb_view& image,
                                                   const dlib::drectangle& box) const {
    const auto to_image = [&](const dlib::vector<float, 2>& p) {
        return dlib::dpoint(box.left() + p.x() * (box.right() - box.left()),
                            box.top() + p.y() * (box.bottom() - box.top()));
    };
    const double right = static_cast<double>(image.columns - 1);
    const double bottom = static_cast<double>(image.rows - 1);
    const shape found = regress(to_image, [&](const dlib::dpoint& p) {
        // As for whole pixels, what is outside is black.
        if (!(p.x() > -0.5 && p.y() > -0.5 && p.x() < right + 0.5 && p.y() < bottom + 0.5))
            return 0.0f;
        const double x = std::clamp(p.x(), 0.0, right), y = std::clamp(p.y(), 0.0, bottom);
        const long column = static_cast<long>(x), row = static_cast<long>(y);
        const long beside = column + 1 < image.columns ? 3 : 0;
        const long below = row + 1 < image.rows ? image.columns * 3 : 0;
        const auto sum = [](const std::uint8_t* c) {
            return static_cast<float>(c[0] + c[1] + c[2]);
        };
        const std::uint8_t* pixel = image.pixels + (row * image.columns + column) * 3;
        const float right_share = static_cast<float>(x - static_cast<double>(column));
        const float lower_share = static_cast<float>(y - static_cast<double>(row));
        const float upper = sum(pixel) * (1 - right_share) + sum(pixel + beside) * right_share;
        const float lower =
            sum(pixel + below) * (1 - right_share) + sum(pixel + below + beside) * right_share;
        return (upper * (1 - lower_share) + lower * lower_share) / 3;
    });
    std::vector<dlib::dpoint> points;
    for (long i = 0; i < count(); ++i)
        points.push_back(to_image(dlib::impl::location(found, static_cast<unsigned long>(i))));
    return points;
}

} // namespace ffgan
