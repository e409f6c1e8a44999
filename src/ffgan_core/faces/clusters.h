// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which of many faces are of one person.

#pragma once

#include <utility>
#include <vector>

namespace ffgan {

// The clusters of `count` faces, given the pairs that look like one person: a number for each, by
// Chinese whispers (Biemann 2006), as in dlib's dnn_face_recognition_ex. Repeatable.
std::vector<long> cluster_faces(long count, const std::vector<std::pair<long, long>>& pairs);

} // namespace ffgan
