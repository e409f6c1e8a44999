# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finds a fast BLAS for dlib's matrix products and offers it as the target ffgan_blas. The one from
# PyPI needs no system package, so that the build asks for nothing but a compiler. Netlib's reference
# BLAS is hardly faster than the loops that dlib has itself, and is never taken.

set(FFGAN_BLAS
    "AUTO"
    CACHE STRING "AUTO (SYSTEM, else PYPI, else NONE), SYSTEM, PYPI (scipy-openblas32), or NONE")
set_property(CACHE FFGAN_BLAS PROPERTY STRINGS AUTO SYSTEM PYPI NONE)
if(NOT FFGAN_BLAS MATCHES "^(AUTO|SYSTEM|PYPI|NONE)$")
    message(FATAL_ERROR "FFGAN_BLAS=${FFGAN_BLAS}: choose AUTO, SYSTEM, PYPI or NONE.")
endif()

add_library(ffgan_blas INTERFACE)
set(FFGAN_BLAS_NAME "")
set(FFGAN_BLAS_RUNTIME_PATH "")

if(FFGAN_BLAS MATCHES "AUTO|SYSTEM")
    # CMake's names for OpenBLAS, Intel's MKL (32-bit integers) and BLIS.
    foreach(BLA_VENDOR OpenBLAS Intel10_64lp FLAME)
        find_package(BLAS QUIET)
        if(BLAS_FOUND)
            include(CheckSymbolExists)
            include(CheckFunctionExists)
            set(CMAKE_REQUIRED_LIBRARIES BLAS::BLAS)
            check_function_exists(cblas_sgemm FFGAN_${BLA_VENDOR}_HAS_CBLAS)
            unset(CMAKE_REQUIRED_LIBRARIES)
            if(FFGAN_${BLA_VENDOR}_HAS_CBLAS)
                set(FFGAN_BLAS_NAME "${BLA_VENDOR} (system)")
                target_link_libraries(ffgan_blas INTERFACE BLAS::BLAS)
                break()
            endif()
        endif()
    endforeach()
    unset(BLA_VENDOR)
    if(NOT FFGAN_BLAS_NAME AND FFGAN_BLAS STREQUAL "SYSTEM")
        message(FATAL_ERROR "FFGAN_BLAS=SYSTEM, but neither OpenBLAS, MKL nor BLIS with a C interface"
                            " was found: install one (Debian: libopenblas-dev) or choose"
                            " FFGAN_BLAS=PYPI.")
    endif()
endif()

if(NOT FFGAN_BLAS_NAME AND FFGAN_BLAS MATCHES "AUTO|PYPI")
    # Found, not imported: its import loads the library, which a cross-build cannot.
    execute_process(
        COMMAND
            ${Python_EXECUTABLE} -c
            "import importlib.metadata as m; d = m.distribution('scipy-openblas32'); f = next(f for f in d.files if f.name.startswith('libscipy_openblas')); p = f.locate(); print(p.parent, p.name, d.version, sep=';')"
        OUTPUT_VARIABLE _pypi_blas
        OUTPUT_STRIP_TRAILING_WHITESPACE
        ERROR_VARIABLE _pypi_blas_error
        ERROR_STRIP_TRAILING_WHITESPACE
        RESULT_VARIABLE _pypi_blas_status)
    if(_pypi_blas_status EQUAL 0)
        list(POP_FRONT _pypi_blas _folder _file _version)
        set(FFGAN_BLAS_NAME "scipy-openblas32 ${_version}")
        set(FFGAN_BLAS_RUNTIME_PATH "$ORIGIN/../scipy_openblas32/lib")
        target_link_libraries(ffgan_blas INTERFACE "${_folder}/${_file}")
        # Its symbols carry a prefix, so that they cannot clash with another BLAS in the process.
        # These are the functions that dlib calls.
        foreach(_function sgemm dgemm cgemm zgemm sgemv dgemv cgemv zgemv sger dger cgerc cgeru zgerc
                          zgeru sdot ddot cdotc_sub cdotu_sub zdotc_sub zdotu_sub saxpy daxpy caxpy
                          zaxpy sscal dscal cscal zscal strsm dtrsm)
            target_compile_definitions(ffgan_blas
                                       INTERFACE cblas_${_function}=scipy_cblas_${_function})
        endforeach()
    elseif(FFGAN_BLAS STREQUAL "PYPI")
        message(FATAL_ERROR "FFGAN_BLAS=PYPI, but ${Python_EXECUTABLE} does not find"
                            " scipy_openblas32: ${_pypi_blas_error}\n"
                            "Install it: pip install scipy-openblas32")
    endif()
endif()

if(FFGAN_BLAS_NAME)
    message(STATUS "BLAS: ${FFGAN_BLAS_NAME}")
else()
    target_compile_definitions(ffgan_blas INTERFACE FFGAN_NO_BLAS)
    message(STATUS "BLAS: none, dlib's own loops (slow)")
endif()
