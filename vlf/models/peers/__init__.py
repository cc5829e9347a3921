"""Architectures that other libraries build, as models of ours."""
