# SPDX-License-Identifier: GPL-3.0-or-later
#
# ffgan_fetch(RESULT PACKAGE VERSION SHA256 FILE [PIP_ARGUMENT...]): the path of a package's file in
# the user's cache, fetched by pip from the index that this machine is set up for unless it is
# there. Where that fails RESULT is empty, RESULT_ERROR is what pip was called with and said, and
# RESULT_CACHED where the file would be. Needs Python_EXECUTABLE.

function(ffgan_fetch result package version sha256 name)
    if(NOT "$ENV{FFGAN_CACHE}" STREQUAL "")
        set(cache "$ENV{FFGAN_CACHE}")
    elseif(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
        set(cache "$ENV{XDG_CACHE_HOME}/ffgan")
    elseif(NOT "$ENV{HOME}" STREQUAL "")
        set(cache "$ENV{HOME}/.cache/ffgan")
    else()
        set(cache "${CMAKE_BINARY_DIR}/cache")
    endif()
    set(${result} "${cache}/${name}" PARENT_SCOPE)
    set(${result}_CACHED "${cache}/${name}" PARENT_SCOPE)
    if(EXISTS "${cache}/${name}")
        message(STATUS "${package}: ${cache}/${name}")
        return()
    endif()

    set(scratch "${CMAKE_BINARY_DIR}/${package}-download")
    file(REMOVE_RECURSE "${scratch}")
    # Hashes are checked before pip looks into the file.
    file(WRITE "${scratch}/requirements.txt" "${package}==${version} --hash=sha256:${sha256}\n")
    set(command ${Python_EXECUTABLE} -m pip download --require-hashes --no-deps ${ARGN}
                --disable-pip-version-check --dest "${scratch}"
                --requirement "${scratch}/requirements.txt")
    message(STATUS "${package}: fetching ${name} with pip")
    execute_process(
        COMMAND ${command}
        OUTPUT_VARIABLE output
        ERROR_VARIABLE output
        RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        list(JOIN command " " command)
        set(${result} "" PARENT_SCOPE)
        set(${result}_ERROR "${command}\n${output}" PARENT_SCOPE)
        return()
    endif()
    file(MAKE_DIRECTORY "${cache}")
    # A rename within one folder is atomic, so a build beside this one never sees half a file.
    string(RANDOM LENGTH 12 unique)
    file(COPY_FILE "${scratch}/${name}" "${cache}/${name}.${unique}")
    file(RENAME "${cache}/${name}.${unique}" "${cache}/${name}")
    file(REMOVE_RECURSE "${scratch}")
endfunction()
