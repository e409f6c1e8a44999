// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/clusters.h"

#include <dlib/clustering.h>

namespace ffgan {

std::vector<long> cluster_faces(long count, const std::vector<std::pair<long, long>>& pairs) {
    std::vector<dlib::sample_pair> edges;
    for (long i = 0; i < count; ++i) // a face like no other is a cluster, too
        edges.emplace_back(static_cast<unsigned long>(i), static_cast<unsigned long>(i));
    for (const auto& [a, b] : pairs)
        edges.emplace_back(static_cast<unsigned long>(a), static_cast<unsigned long>(b));
    std::vector<unsigned long> labels;
    dlib::rand random; // of a fixed seed
    dlib::chinese_whispers(edges, labels, 100, random);
    return {labels.begin(), labels.end()};
}

} // namespace ffgan
