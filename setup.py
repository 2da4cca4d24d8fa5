"""Build the C core: cffi in API mode, one abi3 wheel (a plain one where the interpreter is free-threaded).

The requirements stand here, since one of them hangs on what no marker can say. An install must never come down to
compiling Numba, which needs an LLVM of its own: it is required where it has a wheel, and done without elsewhere.
"""

import sys
import sysconfig

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError, PlatformError

COMPILERS = (
    "embcodec's C core was not built, which takes a compiler of C11: gcc or clang, on Windows the C++ tools of Visual "
    "Studio 2019 (16.8) or later. What the compiler said stands above."
)


class BuildCore(build_ext):
    """Says what the C core takes to be built, where it is not."""

    def build_extension(self, ext):
        """Compile and link an extension."""
        try:
            super().build_extension(ext)
        except (CompileError, LinkError, PlatformError) as error:
            raise type(error)(f"{error}\n\n{COMPILERS}") from error


free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
musl = any("musl" in str(sysconfig.get_config_var(name)) for name in ("HOST_GNU_TYPE", "SOABI"))

# Requirement, marker, and whether a free-threaded interpreter finds a wheel there too.
NUMBA = (
    (
        "numba>=0.61",
        "sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'aarch64')",
        True,
    ),
    ("numba>=0.61", "sys_platform == 'darwin' and platform_machine == 'arm64'", True),
    ("numba>=0.61", "sys_platform == 'win32' and platform_machine == 'AMD64'", True),
    (
        "numba>=0.68",
        "sys_platform == 'win32' and platform_machine == 'ARM64' and python_version >= '3.12' "
        "and python_version < '3.15'",
        False,
    ),
    # The last release with wheels for Intel's; newer ones come there as source alone, which pip would prefer.
    (
        "numba>=0.61,<0.63",
        "sys_platform == 'darwin' and platform_machine == 'x86_64' and python_version < '3.14'",
        False,
    ),
)

# Which C library there is, and whether the interpreter is free-threaded, no marker tells; but neither differs between
# two machines that take the same wheel, and a wheel has requirements of its own: those that are settled as it is built.
wheels = not musl and not (free_threaded and sys.version_info >= (3, 15))
numba = [
    f"{requirement}; implementation_name == 'cpython' and python_version < '3.16' and {marker}"
    for requirement, marker, also_free_threaded in NUMBA
    if wheels and (also_free_threaded or not free_threaded)
]

setup(
    cmdclass={"build_ext": BuildCore},
    cffi_modules=["csrc/ffi_build.py:ffi"],
    install_requires=[
        "numpy>=1.26",
        "cffi>=1.17",
        "click>=8.1",
        "rich>=13.7",
        "httpx2>=2.0",
        "stamina>=25.1",
        "threadpoolctl>=3.8",
        *numba,
    ],
    options={} if free_threaded else {"bdist_wheel": {"py_limited_api": "cp311"}},
)
