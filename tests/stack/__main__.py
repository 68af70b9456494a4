"""Runs the test modules that are named: `python tests/stack test_guard test_life`. They ask the stack whose variables are in the environment."""

import unittest

unittest.main(module=None)
