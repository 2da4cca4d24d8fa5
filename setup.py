"""Build the C core: cffi in API mode, one abi3 wheel (a plain one where the interpreter is free-threaded)."""

import sysconfig

from setuptools import setup

free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
setup(
    cffi_modules=["csrc/ffi_build.py:ffi"],
    options={} if free_threaded else {"bdist_wheel": {"py_limited_api": "cp311"}},
)
