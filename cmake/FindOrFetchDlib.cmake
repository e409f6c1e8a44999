# SPDX-License-Identifier: GPL-3.0-or-later
#
# Provides the target dlib::dlib: an installed dlib that fits, else one built from the folder or
# archive FFGAN_DLIB_SOURCE, else from the pinned source distribution, which pip fetches from the
# index that this machine is set up for. Versions before 20.0.1 lose precision in batch
# normalisation on the CPU and are refused. Needs Python_EXECUTABLE, FFGAN_USE_CUDA and ffgan_blas;
# sets FFGAN_DLIB_VERSION.
#
# Include after FetchFromIndex and before pybind11: dlib's own CMake switches instructions on by
# itself once it sees pybind11.

set(FFGAN_DLIB_PINNED 20.0.1)
set(FFGAN_DLIB_SHA256 7cb2a09467de032332c743bc967007f016598c66c9c9ebc54a5b66d3d9e46d54)
set(FFGAN_DLIB_SOURCE
    ""
    CACHE PATH "Folder of dlib's source, or its .tar.gz; empty: an installed dlib, else fetched")

# Unpacks dlib's archive into the build folder, once, and sets `folder`.
function(_unpack_dlib archive folder)
    set(unpacked "${CMAKE_BINARY_DIR}/dlib-source")
    if(NOT EXISTS "${unpacked}/dlib-${FFGAN_DLIB_PINNED}/dlib/CMakeLists.txt")
        file(SHA256 "${archive}" digest)
        if(NOT digest STREQUAL FFGAN_DLIB_SHA256)
            message(FATAL_ERROR "${archive} is not dlib ${FFGAN_DLIB_PINNED}'s source distribution:"
                                " its SHA-256 is ${digest}, not ${FFGAN_DLIB_SHA256}. Delete it, or"
                                " give another by -DFFGAN_DLIB_SOURCE=DIR.")
        endif()
        file(REMOVE_RECURSE "${unpacked}" "${unpacked}.part")
        file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${unpacked}.part"
             PATTERNS "dlib-${FFGAN_DLIB_PINNED}/dlib/*")
        file(RENAME "${unpacked}.part" "${unpacked}")
    endif()
    set(${folder} "${unpacked}/dlib-${FFGAN_DLIB_PINNED}/dlib" PARENT_SCOPE)
endfunction()

# Fetches the pinned archive into the user's cache, unless it is there, and sets `archive`.
function(_fetch_dlib archive)
    set(name "dlib-${FFGAN_DLIB_PINNED}.tar.gz")
    # pip asks dlib's setup.py for metadata only, in this environment, since an isolated one would
    # fetch a CMake just for that.
    ffgan_fetch(fetched dlib ${FFGAN_DLIB_PINNED} ${FFGAN_DLIB_SHA256} "${name}"
                --no-binary dlib --no-build-isolation)
    if(NOT fetched)
        message(
            FATAL_ERROR
                "dlib ${FFGAN_DLIB_PINNED} could not be had. Tried: an installed dlib"
                " (find_package), the cached ${fetched_CACHED}, and\n  ${fetched_ERROR}\n"
                "Without a network, give dlib's source as a folder or as ${name}:\n"
                "  pip install . --config-settings=cmake.define.FFGAN_DLIB_SOURCE=DIR")
    endif()
    set(${archive} "${fetched}" PARENT_SCOPE)
endfunction()

# Sets `result` to whether an installed dlib can serve; where one is there and cannot, says why.
function(_try_installed_dlib result)
    try_compile(
        FFGAN_DLIB_INSTALLED_${FFGAN_USE_CUDA} PROJECT installed_dlib
        SOURCE_DIR "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/installed_dlib"
        CMAKE_FLAGS "-DVERSION=${FFGAN_DLIB_PINNED}" "-DWANT_CUDA=${FFGAN_USE_CUDA}"
                    "-DCMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH}" "-Ddlib_DIR=${dlib_DIR}"
                    "-Ddlib_ROOT=${dlib_ROOT}"
        OUTPUT_VARIABLE output)
    if(NOT FFGAN_DLIB_INSTALLED_${FFGAN_USE_CUDA})
        string(REGEX MATCHALL "ffgan: [^\n]+|[^\n]*recompile with -fPIC[^\n]*" reasons "${output}")
        if(reasons)
            list(JOIN reasons "\n   " reasons)
            message(STATUS "dlib: not the installed one:\n   ${reasons}")
        endif()
    endif()
    set(${result} ${FFGAN_DLIB_INSTALLED_${FFGAN_USE_CUDA}} PARENT_SCOPE)
endfunction()

# Builds only what a network and a face detector use: a third of the work of the whole library.
macro(_build_dlib folder)
    file(STRINGS "${folder}/CMakeLists.txt" _version REGEX "CPACK_PACKAGE_VERSION_(MAJOR|MINOR|PATCH) ")
    string(REGEX MATCHALL "[0-9]+" _version "${_version}")
    list(JOIN _version "." _version)
    set(FFGAN_DLIB_VERSION "${_version}")
    if(_version VERSION_LESS FFGAN_DLIB_PINNED)
        message(FATAL_ERROR "dlib ${_version} in ${folder} is too old: ${FFGAN_DLIB_PINNED} or later"
                            " is needed.")
    endif()

    foreach(_feature GIF_SUPPORT JPEG_SUPPORT JXL_SUPPORT LINK_WITH_SQLITE3 PNG_SUPPORT USE_BLAS
                     USE_FFMPEG USE_LAPACK USE_MKL_FFT WEBP_SUPPORT)
        set(DLIB_${_feature} OFF)
    endforeach()
    set(DLIB_NO_GUI_SUPPORT ON)
    set(DLIB_USE_CUDA ${FFGAN_USE_CUDA})
    add_subdirectory("${folder}" dlib EXCLUDE_FROM_ALL SYSTEM)

    get_target_property(_sources dlib SOURCES)
    if(FFGAN_USE_CUDA AND NOT "cuda/cuda_dlib.cu" IN_LIST _sources)
        message(FATAL_ERROR "dlib's own CMake gave up CUDA; its messages above say why.")
    endif()
    list(FILTER _sources INCLUDE REGEX "^(base64|cuda|dir_nav|entropy_[a-z]+|misc_api|threads|unicode)/")
    set_property(TARGET dlib PROPERTY SOURCES ${_sources})
    target_link_libraries(dlib PUBLIC ffgan_blas)
    target_include_directories(dlib SYSTEM PRIVATE ${FFGAN_CUDA_INCLUDE_DIRS})
    if(FFGAN_BLAS_NAME)
        target_compile_definitions(dlib PUBLIC DLIB_USE_BLAS)
    endif()
    # Without it dlib ends the process at the second failed check instead of throwing.
    target_compile_definitions(dlib PUBLIC DLIB_NO_ABORT_ON_2ND_FATAL_ERROR)
    message(STATUS "dlib: ${_version} from ${folder}")
endmacro()

set(FFGAN_DLIB_INSTALLED OFF)
set(_dlib_options "")
if(NOT FFGAN_DLIB_SOURCE)
    _try_installed_dlib(FFGAN_DLIB_INSTALLED)
endif()
if(FFGAN_DLIB_INSTALLED)
    find_package(dlib ${FFGAN_DLIB_PINNED} CONFIG REQUIRED)
    set(FFGAN_DLIB_VERSION "${dlib_VERSION}")
    message(STATUS "dlib: the installed ${dlib_VERSION} at ${dlib_DIR}, with its own BLAS or none")
    get_target_property(_dlib_options dlib::dlib INTERFACE_COMPILE_OPTIONS)
    string(REGEX MATCHALL "-m[a-z0-9.=-]+" _dlib_options "${_dlib_options}")
endif()
ffgan_compile_for_instruction_set(${FFGAN_DLIB_INSTALLED} "${_dlib_options}")

if(NOT FFGAN_DLIB_INSTALLED)
    if(NOT FFGAN_DLIB_SOURCE)
        _fetch_dlib(_dlib_archive)
        _unpack_dlib("${_dlib_archive}" _dlib_folder)
    elseif(EXISTS "${FFGAN_DLIB_SOURCE}/CMakeLists.txt")
        set(_dlib_folder "${FFGAN_DLIB_SOURCE}")
    elseif(EXISTS "${FFGAN_DLIB_SOURCE}/dlib/CMakeLists.txt")
        set(_dlib_folder "${FFGAN_DLIB_SOURCE}/dlib")
    elseif(EXISTS "${FFGAN_DLIB_SOURCE}" AND NOT IS_DIRECTORY "${FFGAN_DLIB_SOURCE}")
        _unpack_dlib("${FFGAN_DLIB_SOURCE}" _dlib_folder)
    else()
        message(FATAL_ERROR "FFGAN_DLIB_SOURCE=${FFGAN_DLIB_SOURCE} is neither dlib's source folder"
                            " nor its dlib-${FFGAN_DLIB_PINNED}.tar.gz.")
    endif()
    _build_dlib("${_dlib_folder}")
endif()
