# SPDX-License-Identifier: GPL-3.0-or-later
#
# Chooses the instruction set for which everything but the kernels is compiled; these are compiled
# for several, of which the best one that the processor has is chosen when they run (Kernels.cmake).
# dlib's SIMD types change with the compiler's flags, so dlib, the core and the tests must all share
# one choice; and a processor that lacks an instruction ends the process, so the choice is also
# written down for ffgan/_cpu.py, which refuses such a processor with an error before the extension
# is loaded.

set(FFGAN_ARCH
    "AUTO"
    CACHE STRING "AUTO (x86-64-v2), x86-64-v3 (AVX2 and FMA), x86-64-v2 (SSE4.2), baseline, or native")
set_property(CACHE FFGAN_ARCH PROPERTY STRINGS AUTO x86-64-v3 x86-64-v2 baseline native)

# Spelt out rather than -march=x86-64-v3, which GCC knows only from version 11 on.
set(_x86_64_v2_options -mcx16 -msahf -mpopcnt -msse4.2)
set(_x86_64_v3_options ${_x86_64_v2_options} -mavx2 -mfma -mbmi -mbmi2 -mf16c -mlzcnt -mmovbe)

# The macro a compiler defines when it may use a feature, and that feature's name in /proc/cpuinfo.
set(_cpu_features
    __SSE3__=pni
    __SSSE3__=ssse3
    __SSE4_1__=sse4_1
    __SSE4_2__=sse4_2
    __SSE4A__=sse4a
    __POPCNT__=popcnt
    __AVX__=avx
    __AVX2__=avx2
    __FMA__=fma
    __F16C__=f16c
    __BMI__=bmi1
    __BMI2__=bmi2
    __LZCNT__=abm
    __MOVBE__=movbe
    __ADX__=adx
    __AES__=aes
    __PCLMUL__=pclmulqdq
    __VAES__=vaes
    __VPCLMULQDQ__=vpclmulqdq
    __SHA__=sha_ni
    __GFNI__=gfni
    __AVXVNNI__=avx_vnni
    __AVX512F__=avx512f
    __AVX512BW__=avx512bw
    __AVX512CD__=avx512cd
    __AVX512DQ__=avx512dq
    __AVX512VL__=avx512vl
    __AVX512IFMA__=avx512ifma
    __AVX512VBMI__=avx512vbmi
    __AVX512VBMI2__=avx512_vbmi2
    __AVX512VNNI__=avx512_vnni
    __AVX512BITALG__=avx512_bitalg
    __AVX512VPOPCNTDQ__=avx512_vpopcntdq
    __AVX512BF16__=avx512_bf16
    __AVX512FP16__=avx512_fp16)

# Sets `result` to the names in /proc/cpuinfo of what code compiled with the options may use.
function(_cpu_flags_of result)
    execute_process(
        COMMAND ${CMAKE_CXX_COMPILER} ${ARGN} -dM -E -x c++ /dev/null
        OUTPUT_VARIABLE macros
        ERROR_VARIABLE complaint
        RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "FFGAN_ARCH=${FFGAN_ARCH}: ${CMAKE_CXX_COMPILER} rejects"
                            " `${ARGN}`: ${complaint}")
    endif()
    set(flags)
    foreach(feature IN LISTS _cpu_features)
        string(REPLACE "=" ";" feature "${feature}")
        list(GET feature 0 macro)
        list(GET feature 1 flag)
        if(macros MATCHES "#define ${macro} ")
            list(APPEND flags ${flag})
        endif()
    endforeach()
    set(${result} ${flags} PARENT_SCOPE)
endfunction()

# Compiles what follows in this folder and below for FFGAN_ARCH. Sets FFGAN_ARCH_NAME,
# FFGAN_CPU_FLAGS and FFGAN_BASELINE_OPTIONS. An installed dlib was compiled for an instruction set already: `installed_options`
# are the options that it asks of its users, and AUTO adds nothing to them.
macro(ffgan_compile_for_instruction_set installed_dlib installed_options)
    set(FFGAN_ARCH_NAME "${FFGAN_ARCH}")
    set(_options)
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        if(FFGAN_ARCH STREQUAL "AUTO")
            set(FFGAN_ARCH_NAME baseline)
        elseif(FFGAN_ARCH STREQUAL "native")
            set(_options -mcpu=native)
        elseif(NOT FFGAN_ARCH STREQUAL "baseline")
            message(FATAL_ERROR "FFGAN_ARCH=${FFGAN_ARCH} is not an instruction set of"
                                " ${CMAKE_SYSTEM_PROCESSOR}: choose AUTO, baseline or native.")
        endif()
    elseif(FFGAN_ARCH STREQUAL "AUTO")
        if(${installed_dlib})
            set(FFGAN_ARCH_NAME "as the installed dlib")
        else()
            set(FFGAN_ARCH_NAME x86-64-v2)
            set(_options ${_x86_64_v2_options})
        endif()
    elseif(FFGAN_ARCH STREQUAL "x86-64-v3")
        set(_options ${_x86_64_v3_options})
    elseif(FFGAN_ARCH STREQUAL "x86-64-v2")
        set(_options ${_x86_64_v2_options})
    elseif(FFGAN_ARCH STREQUAL "native")
        set(_options -march=native)
    elseif(NOT FFGAN_ARCH STREQUAL "baseline")
        message(FATAL_ERROR "FFGAN_ARCH=${FFGAN_ARCH}: choose AUTO, x86-64-v3, x86-64-v2, baseline"
                            " or native.")
    endif()

    _cpu_flags_of(FFGAN_CPU_FLAGS ${_options} ${installed_options})
    set(FFGAN_BASELINE_OPTIONS)
    foreach(_option IN LISTS _options)
        list(APPEND FFGAN_BASELINE_OPTIONS $<$<COMPILE_LANGUAGE:C,CXX>:${_option}>)
    endforeach()
    add_compile_options(${FFGAN_BASELINE_OPTIONS})
    message(STATUS "Instruction set: ${FFGAN_ARCH_NAME}")
endmacro()
