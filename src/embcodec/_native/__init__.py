"""The C core seen from Python: thin wrappers, one file a family. Only :mod:`.core` imports the built module."""
