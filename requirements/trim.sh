#!/bin/sh
# Take out of an environment what no part of posefleet runs: trim.sh SITE-PACKAGES
set -eu
cd "$1"

# Tests, headers and sources of extensions.
find . -depth -type d \( -name test -o -name tests -o -name include \) -exec rm -r {} +
find . -type f \( -name '*.a' -o -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.pyx' \) -delete

# Arrow's RPC and its own S3 client, and copies of its libraries under names that nothing asks for.
find pyarrow -type f \( -name '*flight*' -o -name '*s3*' -o -name '*.so.*.*.*' -o -name 'libarrow_python*.so' \) -delete

# OpenCV brings the FFmpeg that PyAV has. Where the releases are the same, one lies there, under the names that both ask for.
releases() {
    find "$1" -name 'libav[cfu]*' -o -name 'libsw*' | sed 's/.*lib\([a-z]*\)-.*\.so\.\([0-9]*\.[0-9]*\)\..*/\1 \2/' | grep -v '^avfilter' | sort
}
if [ "$(releases opencv_python_headless.libs)" = "$(releases av.libs)" ]; then
    cd opencv_python_headless.libs
    for part in avcodec avformat avutil swresample swscale; do ln -sf ../av.libs/lib$part-* lib$part-*; done
    rm libvpx-* libcrypto-* libssl-*
    ln -sf ../av.libs/* .
    cd ..
fi

# It brings an OpenBLAS as well, as SciPy does, whose functions have a prefix. In its place lies one that calls SciPy's.
symbols() {
    nm -D "$@" | sed -n 's/.* \([a-z_0-9]*\)\(@.*\)*$/\1/p' | sort -u
}
blas=$(find opencv_python_headless.libs -name 'libopenblas*') scipy=$(find scipy.libs -name 'libscipy_openblas-*')
if [ "$(uname -m)" = x86_64 ]; then
    symbols --undefined-only cv2/cv2.abi3.so > wanted
    symbols --defined-only "$blas" | comm -12 - wanted | sed 's/.*/.globl &\n.type &, @function\n&: jmp scipy_&@PLT/' | as -o calls.o -
    ld -shared -z noexecstack -z defs -soname "$(basename "$blas")" -rpath "\$ORIGIN/../scipy.libs" -o "$blas" calls.o "$scipy" \
        --allow-shlib-undefined
    rm wanted calls.o opencv_python_headless.libs/libgfortran-* opencv_python_headless.libs/libquadmath-*
fi
for library in scipy.libs/libgfortran-* scipy.libs/libquadmath-*; do
    if cmp -s "$library" "numpy.libs/$(basename "$library")"; then
        ln -sf "../$library" numpy.libs/
    fi
done

# LiteRT on a GPU of a browser and on the accelerators of phones.
rm -rf ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/tools ai_edge_litert/vendors

# AWS, but for S3, queues and who one is there.
find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sqs ! -name 'sso*' ! -name sts -exec rm -r {} +
rm -rf boto3/data boto3/examples matplotlib/mpl-data/sample_data

# Symbols for debuggers. Libraries that auditwheel has renamed, beside a folder *.libs, break when stripped.
find . -name '*.so*' -type f ! -path '*.libs/*' -exec strip --strip-unneeded {} +
